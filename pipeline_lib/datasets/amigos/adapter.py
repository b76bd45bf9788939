"""AMIGOS as it is published: preprocessed .mat files and face videos of the short videos."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from pipeline_lib.datasets.amigos import matlab
from pipeline_lib.datasets.files import ADVICE, check_root, find
from pipeline_lib.datasets.outcomes import Outcome, each, ratings_of
from pipeline_lib.physio.units import to_conductance
from pipeline_lib.recordings import (
    DatasetError,
    Floats,
    Reading,
    RecordingError,
    Signal,
    Source,
    check_signal,
)

LAYOUT = "Data_Preprocessed_P01/Data_Preprocessed_P01.mat and Exp1_P01_face/P1_4_face.mov"
# MVP uses the sixteen short videos and leaves N1, P1, B1 and U1 out (MVP 4.1).
SHORT_VIDEOS = ("4", "5", "9", "10", "13", "18", "19", "20", "23", "30", "31", "34", "36", "58",
                "80", "138")  # fmt: skip
CELLS = ("joined_data", "labels_selfassessment", "labels_ext_annotation", "VideoIDs")

SAMPLING_RATE = 128.0  # Hz
LEAD_IN = 5.0  # s before the stimulus, in the signals and in the video
N_CHANNELS = 17
ECG_RIGHT, ECG_LEFT, GSR = 14, 15, 16  # channels
AROUSAL, VALENCE = 0, 1  # columns of the self-assessment; the external annotation swaps them


def discover(root: Path) -> list[Source]:
    """One source per subject and short video, in the order of SHORT_VIDEOS.

    A subject's .mat says which videos there are; of one that cannot be read, all sixteen are
    expected. Raises DatasetError if `root` holds neither .mat files nor face videos.
    """
    check_root(root, layout=LAYOUT)
    matrices = find(root, r"Data_Preprocessed_P0*(\d+)\.mat")
    videos = find(root, r"P0*(\d+)_([A-Z]?\d+)_face\.mov")
    subjects = sorted({number for number, *_ in [*matrices, *videos]}, key=int)
    if not subjects:
        raise DatasetError(f"{root}: no AMIGOS files; expected {LAYOUT}; {ADVICE}")
    sources = []
    for number in subjects:
        matrix = matrices.get((number,))
        listed = _listed(matrix) if matrix else ()
        sources += [
            _source(int(number), video, signals=matrix, face=videos.get((number, video)))
            for video in SHORT_VIDEOS
            if video in listed or (number, video) in videos
        ]
    return sources


def _source(number: int, video: str, *, signals: Path | None, face: Path | None) -> Source:
    subject = f"P{number:02d}"
    # The order of presentation is in none of the files: VideoIDs are not sorted by it.
    return Source(f"{subject}_{video}", subject, video, video, None, signals, face)


def _listed(path: Path) -> Sequence[str]:
    try:
        return [matlab.text(cell) for cell in matlab.read_cells(path, ["VideoIDs"])["VideoIDs"]]
    except RecordingError:
        return SHORT_VIDEOS  # `read` gives each of them the reason


def read(sources: Sequence[Source], *, heart: str, eda_unit: str | None) -> Iterator[Outcome]:
    """Yield each source with its reading or with what is wrong with it.

    sources  : of one .mat file, or without one
    heart    : ECG, of the right arm
    eda_unit : of the GSR in the file, as physio.units names it

    Raises DatasetError if `heart` is no channel of AMIGOS or `eda_unit` is not given.
    """
    if heart != "ECG":
        raise DatasetError("AMIGOS has no PPG; set datasets.<name>.heart to ECG")
    if eda_unit is None:
        raise DatasetError("AMIGOS does not say its GSR's unit; set datasets.<name>.eda_unit")
    return _read(sources, sources[0].signals, eda_unit)


def _read(sources: Sequence[Source], path: Path | None, eda_unit: str) -> Iterator[Outcome]:
    try:
        cells = matlab.read_cells(path, CELLS) if path else None
    except RecordingError as error:
        yield from ((source, error) for source in sources)
        return
    yield from each(sources, partial(_read_trial, cells=cells, eda_unit=eda_unit))


def _read_trial(
    source: Source, *, cells: dict[str, list[matlab.Cell]] | None, eda_unit: str
) -> Reading:
    cell = _index(source.trial, cells) if cells else None
    samples = _samples(cells["joined_data"][cell]) if cells and cell is not None else None
    ratings = _ratings(cells["labels_selfassessment"][cell]) if cells and cell is not None else {}
    if samples is None and not ratings and source.video is None:
        raise RecordingError("nothing recorded: empty cell, no ratings, no video")
    absent = {
        f"no signals of video {source.trial}": samples is None,
        "no self-assessment": not ratings,
        f"no P{int(source.subject[1:])}_{source.trial}_face.mov": source.video is None,
    }
    return Reading(
        signals=_signals(samples, eda_unit=eda_unit) if samples is not None else (),
        ratings=ratings,
        video_start=-LEAD_IN if source.video else None,
        duration=len(samples) / SAMPLING_RATE - LEAD_IN if samples is not None else None,
        missing=tuple(sentence for sentence, is_absent in absent.items() if is_absent),
    )


def _index(video: str, cells: dict[str, list[matlab.Cell]]) -> int | None:
    """Place of a video's cells; its ID is the only key, since IDs are not in order."""
    places = [i for i, cell in enumerate(cells["VideoIDs"]) if matlab.text(cell) == video]
    if len(places) > 1:
        raise RecordingError(f"VideoIDs lists {video} in cells {places}; its data are ambiguous")
    return places[0] if places else None


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
    ecg = check_signal(_signal("ECG", "a.u.", samples[:, ECG_RIGHT]))
    gsr = check_signal(_signal("EDA", eda_unit, samples[:, GSR]))
    conductance, unit = to_conductance(gsr.samples, unit=eda_unit)
    return ecg, _signal("EDA", unit, conductance)


def _signal(channel: str, unit: str, samples: Floats) -> Signal:
    return Signal(channel, unit, SAMPLING_RATE, -LEAD_IN, samples)


def _ratings(cell: matlab.Cell) -> dict[str, float]:
    """Valence and arousal, 1 - 9; {} when the self-assessment is missing."""
    row = matlab.numbers(cell, name="labels_selfassessment")
    if row.size == 0:
        return {}
    if row.shape != (1, 12):
        raise RecordingError(f"labels_selfassessment is {row.shape}, expected (1, 12)")
    return ratings_of(valence=float(row[0, VALENCE]), arousal=float(row[0, AROUSAL]))
