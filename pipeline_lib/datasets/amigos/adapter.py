"""AMIGOS as it is published: preprocessed .mat files and face videos.

The sixteen short videos are read, as in MVP (4.1). The .mat files hold four long ones too:
`discover(root, videos=LONG_VIDEOS)` lists them, `read` reads them like the others.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from pipeline_lib.core.schema import TARGETS
from pipeline_lib.datasets.amigos import matlab
from pipeline_lib.datasets.files import ADVICE, check_root, find
from pipeline_lib.datasets.outcomes import RATINGS, Outcome, each
from pipeline_lib.recordings import (
    DatasetError,
    Floats,
    Official,
    Reading,
    RecordingError,
    Signal,
    Source,
)

LAYOUT = "Data_Preprocessed_P01/Data_Preprocessed_P01.mat and Exp1_P01_face/P1_4_face.mov"
OFFICIAL = Official(
    subjects=40,
    recordings=640,
    videos=640,
    source="Miranda-Correa et al. 2021: 40 participants, 16 short videos",
)
SHORT_VIDEOS = ("4", "5", "9", "10", "13", "18", "19", "20", "23", "30", "31", "34", "36", "58",
                "80", "138")  # fmt: skip
LONG_VIDEOS = ("N1", "P1", "B1", "U1")
CELLS = ("joined_data", "labels_selfassessment", "labels_ext_annotation", "VideoIDs")

SAMPLING_RATE = 128.0  # Hz
LEAD_IN = 5.0  # s before the stimulus, in the signals and in the video
N_CHANNELS = 17
ECG_RIGHT, ECG_LEFT, GSR = 14, 15, 16  # channels
# Columns of the self-assessment, and of the external annotation: the other order.
SCALES = ("arousal", "valence", "dominance", "liking", "familiarity")  # 1 - 9
EMOTIONS = ("neutral", "disgust", "happiness", "surprise", "anger", "fear", "sadness")  # 0, 1 [?]
SELF_ASSESSMENT = (*SCALES, *EMOTIONS)
EXTERNAL_ANNOTATION = ("segment", "valence", "arousal")

_UNLISTED: Mapping[str, matlab.Cell] = dict.fromkeys(CELLS, np.zeros((0, 0)))


def discover(root: Path, *, videos: Sequence[str] = SHORT_VIDEOS) -> list[Source]:
    """One source per subject and video, in the order of `videos`.

    A subject's .mat says which videos there are; of one that does not, all are expected.
    DatasetError if `root` holds neither .mat files nor face videos.
    """
    check_root(root, layout=LAYOUT)
    matrices = find(root, r"Data_Preprocessed_P0*(\d+)\.mat")
    films = find(root, r"P0*(\d+)_([A-Z]?\d+)_face\.mov")
    subjects = sorted({number for number, *_ in [*matrices, *films]}, key=int)
    if not subjects:
        raise DatasetError(f"{root}: no AMIGOS files; expected {LAYOUT}; {ADVICE}")
    sources = []
    for number in subjects:
        matrix = matrices.get((number,))
        listed = _listed(matrix, videos) if matrix else ()
        sources += [
            _source(int(number), video, signals=matrix, face=films.get((number, video)))
            for video in videos
            if video in listed or (number, video) in films
        ]
    return sources


def _source(number: int, video: str, *, signals: Path | None, face: Path | None) -> Source:
    subject = f"P{number:02d}"
    # The order of presentation is in none of the files: VideoIDs are not sorted by it.
    return Source(f"{subject}_{video}", subject, video, video, None, signals, face)


def _listed(path: Path, videos: Sequence[str]) -> Sequence[str]:
    """Those of the videos that a .mat lists, or all: then `read` gives each of them the reason."""
    try:
        ids = [matlab.text(cell) for cell in matlab.read_cells(path, ["VideoIDs"])["VideoIDs"]]
    except RecordingError:
        ids = []
    return [video for video in videos if video in ids] or videos


def read(
    sources: Sequence[Source], *, heart: str | None, eda_unit: str | dict[str, str] | None
) -> Iterator[Outcome]:
    """Yield each source with its reading or with what is wrong with it.

    sources  : of one .mat file, or without one
    heart    : ECG, of the right arm
    eda_unit : of the GSR in the file, as physio.units names it

    Raises DatasetError if `heart` is no channel of AMIGOS or `eda_unit` is not given.
    """
    if heart != "ECG":
        raise DatasetError("AMIGOS has an ECG and no PPG; set datasets.<name>.heart to ECG")
    if not isinstance(eda_unit, str):
        raise DatasetError(
            "AMIGOS does not say its GSR's unit; set datasets.<name>.eda_unit to one unit"
        )
    return _read(sources, sources[0].signals, eda_unit)


def _read(sources: Sequence[Source], path: Path | None, eda_unit: str) -> Iterator[Outcome]:
    try:
        cells = matlab.read_cells(path, CELLS) if path else {}
    except RecordingError as error:
        yield from ((source, error) for source in sources)
        return
    yield from each(sources, partial(_read_trial, cells=cells, eda_unit=eda_unit))


def _read_trial(
    source: Source, *, cells: Mapping[str, Sequence[matlab.Cell]], eda_unit: str
) -> Reading:
    trial = _of_video(source.trial, cells)
    samples = _samples(trial["joined_data"])
    felt = _self_assessment(trial["labels_selfassessment"])
    seen = _external_annotation(trial["labels_ext_annotation"])
    if samples is None and not felt and source.video is None:
        raise RecordingError("nothing recorded: empty cell, no ratings, no video")
    absent = {
        f"no signals of video {source.trial}": samples is None,
        "no self-assessment": not felt,
        **{f"no {target}": bool(felt) and target not in felt for target in TARGETS},
        "no external annotation": not seen,
        f"no P{int(source.subject[1:])}_{source.trial}_face.mov": source.video is None,
    }
    return Reading(
        signals=_signals(samples, eda_unit=eda_unit) if samples is not None else (),
        ratings=felt | seen,
        video_start=-LEAD_IN if source.video else None,
        duration=len(samples) / SAMPLING_RATE - LEAD_IN if samples is not None else None,
        missing=tuple(sentence for sentence, is_absent in absent.items() if is_absent),
    )


def _of_video(video: str, cells: Mapping[str, Sequence[matlab.Cell]]) -> Mapping[str, matlab.Cell]:
    """A video's cells; its ID is the only key, since IDs are not in order."""
    ids = cells.get("VideoIDs", ())
    places = [i for i, cell in enumerate(ids) if matlab.text(cell) == video]
    if len(places) > 1:
        raise RecordingError(f"VideoIDs lists {video} in cells {places}; its data are ambiguous")
    return {name: cells[name][places[0]] for name in CELLS} if places else _UNLISTED


def _samples(cell: matlab.Cell) -> Floats | None:
    """(n_times, 17), or None of an empty cell."""
    samples = matlab.numbers(cell, name="joined_data")
    if samples.size == 0:
        return None
    if samples.shape[1] != N_CHANNELS or len(samples) <= LEAD_IN * SAMPLING_RATE:
        raise RecordingError(
            f"joined_data is {samples.shape}, expected (samples, {N_CHANNELS}) "
            f"with more than the {LEAD_IN:g} s before the stimulus"
        )
    return samples


def _signals(samples: Floats, *, eda_unit: str) -> tuple[Signal, ...]:
    return (
        _signal("ECG", "a.u.", samples[:, ECG_RIGHT]),
        _signal("EDA", eda_unit, samples[:, GSR]),
    )


def _signal(channel: str, unit: str, samples: Floats) -> Signal:
    return Signal(channel, unit, SAMPLING_RATE, -LEAD_IN, samples)


def _self_assessment(cell: matlab.Cell) -> dict[str, float]:
    """Ratings by name, less those that are NaN; {} when the self-assessment is missing.

    Raises RecordingError if valence or arousal lies outside 1 - 9; the others are as given.
    """
    row = matlab.numbers(cell, name="labels_selfassessment")
    if row.size == 0:
        return {}
    if row.shape != (1, len(SELF_ASSESSMENT)):
        raise RecordingError(
            f"labels_selfassessment is {row.shape}, expected (1, {len(SELF_ASSESSMENT)})"
        )
    ratings = dict(zip(SELF_ASSESSMENT, row[0].tolist(), strict=True))
    low, high = RATINGS
    for name in TARGETS:
        if ratings[name] < low or ratings[name] > high:
            raise RecordingError(f"{name} is rated {ratings[name]:g}, outside {low:g} - {high:g}")
    return {name: rating for name, rating in ratings.items() if math.isfinite(rating)}


def _external_annotation(cell: matlab.Cell) -> dict[str, float]:
    """Means over the segments, as given: in [-1, 1] but for those that stray; {} when missing."""
    rows = matlab.numbers(cell, name="labels_ext_annotation")
    if rows.size == 0:
        return {}
    if rows.shape[1] != len(EXTERNAL_ANNOTATION):
        raise RecordingError(
            f"labels_ext_annotation is {rows.shape}, expected (n, {len(EXTERNAL_ANNOTATION)})"
        )
    columns = dict(zip(EXTERNAL_ANNOTATION, rows.T, strict=True))
    rated = {name: columns[name][np.isfinite(columns[name])] for name in TARGETS}
    return {f"external_{name}": float(x.mean()) for name, x in rated.items() if x.size}
