"""Names, dtypes and units of every column that stages hand to each other.

Times are seconds on one axis per recording: 0 is the onset of the stimulus.
"""

from collections.abc import Mapping

import polars as pl
from polars.datatypes import DataType, DataTypeClass

Schema = Mapping[str, DataType | DataTypeClass]

TARGETS = ("valence", "arousal")
HEART = ("ECG", "PPG")
# Of Hume-Reaction, in the order of its challenge's tables.
REACTIONS = ("Adoration", "Amusement", "Anxiety", "Disgust", "Empathic-Pain", "Fear", "Surprise")

# ---- OpenFace 2.2, in the order of its CSV -----------------------------------------------------
GAZE_VECTORS = tuple(f"gaze_{eye}_{axis}" for eye in (0, 1) for axis in "xyz")
GAZE_ANGLES = ("gaze_angle_x", "gaze_angle_y")  # rad
POSE = ("pose_Tx", "pose_Ty", "pose_Tz", "pose_Rx", "pose_Ry", "pose_Rz")  # mm, rad
LANDMARKS = tuple(f"{axis}_{i}" for axis in "xy" for i in range(68))  # px
_UNITS = ("01", "02", "04", "05", "06", "07", "09", "10", "12", "14", "15", "17", "20", "23", "25")
AU_INTENSITIES = tuple(f"AU{unit}_r" for unit in (*_UNITS, "26", "45"))  # 0-5
AU_PRESENCES = tuple(f"AU{unit}_c" for unit in (*_UNITS, "26", "28", "45"))  # 0 or 1

# The 42 of MVP: what the authors' StressID publishes, or the paper's text to the letter, in
# which the eighteenth intensity, that OpenFace does not have, is 0.
VISUAL = {
    "stressid42": (
        *AU_INTENSITIES,
        *(name for name in AU_PRESENCES if name != "AU28_c"),
        *GAZE_VECTORS,
        *GAZE_ANGLES,
    ),
    "paper42": (*AU_INTENSITIES[:-1], "AU28_r", AU_INTENSITIES[-1], *AU_PRESENCES, *GAZE_VECTORS),
}

# ---- Tables ------------------------------------------------------------------------------------
SOURCES: Schema = {  # all that extraction needs: a new rating or threshold leaves it as it is
    "recording_id": pl.String,  # <subject>_<trial>
    "subject": pl.String,  # the smallest group that is known not to share people with another
    "trial": pl.String,
    "stimulus": pl.String,  # the same video has the same name for every subject
    "synthetic": pl.Boolean,  # of a twin
    "order": pl.Int64,  # place in the session, from 1; null if unknown
    "video": pl.String,  # path below the root; null: none
    "video_sha256": pl.String,
    "video_start": pl.Float64,  # s, the first frame on the trial's axis
    "audio": pl.String,  # path below the root, which may be the video's; null: none
    "audio_sha256": pl.String,
    "audio_start": pl.Float64,  # s, the first sample on the trial's axis
    "signals_sha256": pl.String,  # of the recording's own samples; null: none
    "duration": pl.Float64,  # s from stimulus onset; null if unknown
    "status": pl.String,  # ok | partial | failed | excluded
    "reason": pl.String,  # "" when ok
    "split": pl.String,  # the owners' own: train | validation | test; null: they give none
}

RECORDINGS: Schema = {  # the index
    **SOURCES,
    "valence": pl.Float64,  # as rated
    "arousal": pl.Float64,
    "valence_label": pl.Int8,  # rating > threshold
    "arousal_label": pl.Int8,
}

RATINGS: Schema = {  # one row per recording and rating, all that the set has
    "recording_id": pl.String,
    "name": pl.String,  # valence, arousal, dominance, Adoration, stress, ...
    "value": pl.Float64,  # as given
}

SIGNALS: Schema = {  # one row per recording and channel, native rate
    "recording_id": pl.String,
    "channel": pl.String,  # ECG | PPG | EDA
    "unit": pl.String,
    "sampling_rate": pl.Float64,  # Hz
    "start": pl.Float64,  # s, the first sample on the trial's axis
    "source_unit": pl.String,  # in the file, if the samples were converted from another; or ""
    "samples": pl.List(pl.Float64),
}

PHYSIO: Schema = {  # one row per recording and channel, filtered, inside the window
    "recording_id": pl.String,
    "channel": pl.String,
    "unit": pl.String,
    "sampling_rate": pl.Float64,  # Hz
    "start": pl.Float64,  # s
    "quality": pl.Float64,  # 0 bad - 1 good
    "samples": pl.List(pl.Float32),
}

OPENFACE: Schema = {  # one row per frame; measurements are null where success is false
    "recording_id": pl.String,
    "frame": pl.Int64,  # in the file, from 1, as OpenFace counts
    "time": pl.Float64,  # s, decoded, from the first frame of the file
    "confidence": pl.Float32,  # 0-1
    "success": pl.Boolean,
    **dict.fromkeys((*GAZE_VECTORS, *GAZE_ANGLES, *POSE, *LANDMARKS), pl.Float32),
    **dict.fromkeys(AU_INTENSITIES, pl.Float32),
    **dict.fromkeys(AU_PRESENCES, pl.Float32),
    "backend": pl.String,  # who made the numbers: embedded | pyfaceau | OpenFace
}

CROPS: Schema = {  # one row per crop, clip and frame
    "recording_id": pl.String,
    "crop": pl.String,  # large | small
    "clip": pl.Int32,  # from 0
    "position": pl.Int32,  # in the clip, from 0
    "frame": pl.Int64,  # in the file, from 1
    "time": pl.Float64,  # s, on the trial's axis
    "face": pl.Boolean,  # a face was seen in this very frame, not only near it
    "gap": pl.Float32,  # s to the nearest frame with a face, 0 if this one has it
    "x": pl.Float32,  # px in the video's picture, centre of the crop
    "y": pl.Float32,
    "edge": pl.Float32,  # px in the video's picture, of the crop's square
    "roll": pl.Float32,  # rad by which that square is turned clockwise; 0 unless crop.align: roll
    "outside": pl.Float32,  # share of the crop beyond the picture, which is black
    "jpeg": pl.Binary,
}

SYNC: Schema = {  # one row per recording; null: not measured, and `reason` says why
    "recording_id": pl.String,
    "n_frames": pl.Int64,
    "frame_rate": pl.Float64,  # Hz, one over the median interval between frames
    "jitter": pl.Float64,  # s, standard deviation of the intervals
    "constant": pl.Boolean,  # frames come at a constant rate, dropped ones aside
    "dropped": pl.Int64,  # frames that would fill the gaps
    "duplicated": pl.Int64,  # frames with the time of the one before
    "repeated": pl.Int64,  # frames with the picture of the one before; needs sync.estimate
    "video_seconds": pl.Float64,
    "physio_seconds": pl.Float64,
    "mismatch": pl.Float64,  # s by which the video ends after the signals
    "offset": pl.Float64,  # s by which the video is late; needs sync.estimate
    "confidence": pl.Float64,  # of the offset, 0-1
    "shift": pl.Float64,  # s by which the video is taken earlier; needs sync.apply
    "reason": pl.String,
}

FEATURES: Schema = {  # one row per recording
    "recording_id": pl.String,
    "subject": pl.String,
    "n_frames": pl.Int64,  # 0: no video
    "visual": pl.List(pl.Float32),  # (n_frames x 42), row by row; NaN: no face
    "face_share": pl.Float64,  # share of frames with a face
    "n_times": pl.Int64,  # 0: no physiology
    "physio": pl.List(pl.Float32),  # (n_times x 2), row by row: heart, EDA
    "heart_quality": pl.Float64,
    "EDA_quality": pl.Float64,
    "valence_label": pl.Int8,
    "arousal_label": pl.Int8,
}

EMBEDDINGS: Schema = {  # one row per recording
    "recording_id": pl.String,
    "times": pl.List(pl.Float64),  # s on the trial's axis, of the sampled frames; N of them
    "width": pl.Int32,  # of a token
    # (N x width), row by row. A row of NaN: this token is missing; a NaN in a row: this number is.
    "values": pl.List(pl.Float32),
}

FOLDS: Schema = {  # one row per fold and recording that has a role in it
    "fold": pl.Int32,
    "recording_id": pl.String,
    "subject": pl.String,
    "role": pl.String,  # train | validation | test | withheld: of the owners' test, no labels
}

PREDICTIONS: Schema = {  # out of fold: each recording once a target, and once a repeat
    "recording_id": pl.String,
    "subject": pl.String,
    "fold": pl.Int32,
    "target": pl.String,  # valence | arousal
    "label": pl.Int8,
    "score": pl.Float64,  # probability of 1; predicted class: score > 0.5
}

ESTIMATES: Schema = {  # of systems that fuse embeddings, one row a recording, target and selection
    "recording_id": pl.String,
    "subject": pl.String,
    "fold": pl.Int32,
    "role": pl.String,  # test: what is reported | withheld: nobody but the owners knows the label
    "selection": pl.String,  # of the epoch, by held_out: a part of train | reported: the test
    "target": pl.String,  # Adoration, ..., or valence | arousal
    "value": pl.Float64,  # label, 0-1; null: withheld
    "score": pl.Float64,
}

SELECTIONS: Schema = {  # how the epochs of such a system were chosen
    "fold": pl.Int32,
    "epoch": pl.Int64,  # from 1
    "selection": pl.String,  # held_out | reported
    "pearson": pl.Float64,  # mean over targets, on what chooses
    "best": pl.Boolean,  # the best so far
}

DEGRADED: Schema = {  # out of fold, of test recordings with a stretch of one modality missing
    **PREDICTIONS,
    "modality": pl.String,  # visual | physio
    "share": pl.Float64,  # that is missing, 0-1
}

OUTCOMES: Schema = {  # one row per target: trials by who got them right, ours or a rival
    "target": pl.String,
    "both": pl.Int64,
    "ours_alone": pl.Int64,
    "rival_alone": pl.Int64,
    "neither": pl.Int64,
}

CASES: Schema = {  # tests that two systems took
    "recording_id": pl.String,
    "subject": pl.String,
    "fold": pl.Int32,
    "target": pl.String,
    "label": pl.Int8,
    "score": pl.Float64,
    "rival_score": pl.Float64,
}

ATTENTION: Schema = {  # one row per case and modality
    "recording_id": pl.String,
    "fold": pl.Int32,
    "target": pl.String,
    "modality": pl.String,  # visual | physio
    "start": pl.Float64,  # s, on the trial's axis, of the first step
    "rate": pl.Float64,  # Hz, steps a second
    "weight": pl.List(pl.Float32),  # 1: as much as if it were even
}

HISTORY: Schema = {  # one row per fold and epoch
    "fold": pl.Int32,
    "epoch": pl.Int64,  # from 1
    "train_loss": pl.Float64,
    "validation_loss": pl.Float64,
    "best": pl.Boolean,  # the best so far
}

LEDGER: Schema = {  # one row per recording and stage
    "recording_id": pl.String,
    "subject": pl.String,
    "status": pl.String,  # ok | partial | failed | excluded
    "reason": pl.String,
    "frames": pl.Int64,  # read
    "faces": pl.Int64,  # frames with a face
    "key": pl.String,  # of the cached result: inputs, params and code
}

ACCOUNT: Schema = {  # one row per stage and recording
    "stage": pl.String,
    "synthetic": pl.Boolean,  # of a twin
    **LEDGER,
}


def targets_of(table: pl.DataFrame) -> tuple[str, ...]:
    """What is labelled in a table: the targets of its columns `<target>_label`, in their order."""
    ending = "_label"
    return tuple(name.removesuffix(ending) for name in table.columns if name.endswith(ending))


class SchemaError(ValueError):
    """A table does not have the columns that its reader expects."""


def validate(table: pl.DataFrame, schema: Schema, name: str) -> pl.DataFrame:
    """Return the table with the schema's columns in its order; raise SchemaError otherwise."""
    found = dict(table.schema)  # polars builds it anew whenever it is asked
    missing = [column for column in schema if column not in found]
    extra = [column for column in found if column not in schema]
    wrong = [
        f"{column} is {found[column]}, not {dtype}"
        for column, dtype in schema.items()
        if column in found and found[column] != dtype
    ]
    if missing or extra or wrong:
        raise SchemaError(f"{name}: missing {missing}, unexpected {extra}, wrong dtype {wrong}")
    return table.select(list(schema))
