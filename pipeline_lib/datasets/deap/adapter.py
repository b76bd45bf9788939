"""DEAP as it was preprocessed: .dat files, face videos and the table of ratings.

Row i of a .dat is Experiment_id i + 1, not the order of presentation: see presentations.py.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from pipeline_lib.datasets.deap import presentations
from pipeline_lib.datasets.deap.presentations import (
    OFFICIAL as OFFICIAL,  # of both layouts
    RATINGS_FILE,
    Presentation,
)
from pipeline_lib.datasets.deap.safe_pickle import load_arrays
from pipeline_lib.datasets.outcomes import Outcome, each
from pipeline_lib.recordings import Floats, Reading, RecordingError, Signal, Source

LAYOUT = (
    "data_preprocessed_python/s01.dat, face_video/s01/s01_trial01.avi and "
    "metadata_csv/participant_ratings.csv"
)

SAMPLING_RATE = 128.0  # Hz
BASELINE = 3.0  # s before the stimulus, in the signals only
N_CHANNELS = 40
GSR, PLETHYSMOGRAPH = 36, 38  # channels
LABELS = ("valence", "arousal", "dominance", "liking")  # columns
ROUNDING = 0.0051  # of ratings, which have two decimals


def discover(root: Path) -> list[Source]:
    """One source per row of participant_ratings.csv; see presentations.discover."""
    return presentations.discover(root, suffix="dat", layout=LAYOUT)


def read(
    sources: Sequence[Source], *, heart: str | None, eda_unit: str | dict[str, str] | None
) -> Iterator[Outcome]:
    """Yield each source with its reading or with what is wrong with it.

    sources  : of one .dat file, or without one
    heart    : PPG
    eda_unit : of the GSR in the file, as physio.units names it, or one a site

    Raises DatasetError if `heart` is no channel of DEAP or `eda_unit` is not given.
    """
    unit = presentations.check_settings(heart=heart, eda_unit=eda_unit)
    return _read(sources, presentations.unit_of(presentations.participant(sources[0]), unit))


def _read(sources: Sequence[Source], eda_unit: str) -> Iterator[Outcome]:
    path = sources[0].signals
    try:
        arrays = _load(path) if path else None
    except RecordingError as error:
        yield from ((source, error) for source in sources)
        return
    rows = presentations.of_participant(sources[0])
    yield from each(sources, partial(_read_trial, arrays=arrays, rows=rows, eda_unit=eda_unit))


def _load(path: Path) -> tuple[Floats, Floats]:
    """Data (n_trials, 40, n_times) and labels (n_trials, 4) of a .dat file."""
    arrays = load_arrays(path)
    if set(arrays) != {"data", "labels"}:
        raise RecordingError(f"{path.name}: holds {sorted(arrays)}, expected data and labels")
    data, labels = arrays["data"], arrays["labels"]
    if (
        data.ndim != 3
        or data.shape[1] != N_CHANNELS
        or data.shape[2] <= BASELINE * SAMPLING_RATE
        or labels.shape != (len(data), len(LABELS))
    ):
        raise RecordingError(
            f"{path.name}: data {data.shape} and labels {labels.shape}, expected (trials, "
            f"{N_CHANNELS}, more than {BASELINE * SAMPLING_RATE:g}) and (trials, {len(LABELS)})"
        )
    return data, labels


def _read_trial(
    source: Source,
    *,
    arrays: tuple[Floats, Floats] | None,
    rows: Mapping[int, Presentation],
    eda_unit: str,
) -> Reading:
    row = rows[int(source.trial[1:])]
    name = f"{source.subject}.dat"
    if arrays is None:
        return presentations.as_reading(source, ratings=row.ratings, gap=f"no {name}")
    data, labels = arrays
    if row.experiment > len(data):
        gap = f"{name}: {len(data)} trials, none for Experiment_id {row.experiment}"
        return presentations.as_reading(source, ratings=row.ratings, gap=gap)
    samples = data[row.experiment - 1]
    return presentations.as_reading(
        source,
        ratings=_ratings(row, labels[row.experiment - 1]),
        signals=_signals(samples, eda_unit=eda_unit),
        duration=samples.shape[1] / SAMPLING_RATE - BASELINE,
    )


def _ratings(row: Presentation, labels: Floats) -> dict[str, float]:
    """Both files' ratings; RecordingError if they differ, for then the join is wrong."""
    rated = dict(zip(LABELS, labels.tolist(), strict=True))
    for name, value in rated.items():
        if abs(value - row.ratings.get(name, math.nan)) > ROUNDING:
            raise RecordingError(
                f"{name} is {value:g} in row {row.experiment - 1} of the .dat and "
                f"{row.ratings[name]:g} in {RATINGS_FILE} (Trial {row.trial}, Experiment_id "
                f"{row.experiment}); one of them is of another trial"
            )
    return {**row.ratings, **{k: v for k, v in rated.items() if not math.isnan(v)}}


def _signals(samples: Floats, *, eda_unit: str) -> tuple[Signal, ...]:
    return (
        _signal("PPG", "a.u.", samples[PLETHYSMOGRAPH]),
        _signal("EDA", eda_unit, samples[GSR]),
    )


def _signal(channel: str, unit: str, samples: Floats) -> Signal:
    return Signal(channel, unit, SAMPLING_RATE, -BASELINE, samples)
