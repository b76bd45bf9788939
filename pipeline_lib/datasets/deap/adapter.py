"""DEAP as it is published: preprocessed .dat files, face videos and the table of ratings.

The three disagree on order: row i of a .dat is Experiment_id i + 1, the video YY is the YYth in
the order of presentation. Only participant_ratings.csv knows both, so everything is joined
through it.
"""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pipeline_lib.datasets.deap.safe_pickle import load_arrays
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

LAYOUT = (
    "data_preprocessed_python/s01.dat, face_video/s01/s01_trial01.avi and "
    "metadata_csv/participant_ratings.csv"
)
RATINGS_FILE = "participant_ratings.csv"

SAMPLING_RATE = 128.0  # Hz
BASELINE = 3.0  # s before the stimulus, in the signals only
N_CHANNELS = 40
GSR, PLETHYSMOGRAPH = 36, 38  # channels
N_RATINGS = 4  # valence, arousal, dominance, liking
ROUNDING = 0.0051  # of ratings, which have two decimals


@dataclass(frozen=True)
class Presentation:
    """A row of participant_ratings.csv."""

    participant: int
    trial: int  # in the order of presentation, from 1
    experiment: int  # the stimulus, from 1
    valence: float  # NaN: blank
    arousal: float


def discover(root: Path) -> list[Source]:
    """One source per row of participant_ratings.csv, by participant and presentation.

    Participants of whom neither a .dat nor a video is there are left out. Raises DatasetError
    if the ratings are not there, if a file has no row in them, or if there are no files.
    """
    check_root(root, layout=LAYOUT)
    tables = find(root, r"participant_ratings\.csv")
    if not tables:
        raise DatasetError(
            f"{root}: no {RATINGS_FILE}, without which trials cannot be joined; "
            f"expected {LAYOUT}; {ADVICE}"
        )
    (table,) = tables.values()
    presentations = read_presentations(table)
    data = find(root, r"s0*(\d+)\.dat")
    videos = find(root, r"s0*(\d+)_trial0*(\d+)\.avi")
    present = {int(participant) for participant, *_ in [*data, *videos]}
    if not present:
        raise DatasetError(f"{root}: no DEAP files; expected {LAYOUT}; {ADVICE}")
    _check_rows(presentations, [*data.items(), *videos.items()], table)
    return [
        Source(
            recording_id=f"s{row.participant:02d}_t{row.trial:02d}",
            subject=f"s{row.participant:02d}",
            trial=f"t{row.trial:02d}",
            stimulus=str(row.experiment),
            order=row.trial,
            signals=data.get((str(row.participant),)),
            video=videos.get((str(row.participant), str(row.trial))),
            tables=(table,),
        )
        for row in presentations
        if row.participant in present
    ]


def _check_rows(
    presentations: Sequence[Presentation],
    files: Sequence[tuple[tuple[str, ...], Path]],
    table: Path,
) -> None:
    """Raise DatasetError if a participant's file or video has no row in the ratings."""
    known: set[tuple[int, ...]] = {(row.participant,) for row in presentations}
    known |= {(row.participant, row.trial) for row in presentations}
    for key, path in files:
        if tuple(map(int, key)) not in known:
            raise DatasetError(f"{path}: has no row in {table}, so it cannot be joined")


def read_presentations(table: Path) -> list[Presentation]:
    """Read participant_ratings.csv, sorted by participant and trial.

    Raises DatasetError, naming the line, if a number is none or a key occurs twice.
    """
    presentations = []
    with table.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        for row in reader:
            try:
                presentations.append(
                    Presentation(
                        participant=int(row["Participant_id"]),
                        trial=int(row["Trial"]),
                        experiment=int(row["Experiment_id"]),
                        valence=float(row["Valence"] or "nan"),
                        arousal=float(row["Arousal"] or "nan"),
                    )
                )
            except (KeyError, TypeError, ValueError) as error:
                raise DatasetError(f"{table}, line {reader.line_num}: {error!r}") from None
    for name in ("trial", "experiment"):
        keys = Counter((row.participant, getattr(row, name)) for row in presentations)
        twice = sorted(key for key, count in keys.items() if count > 1)
        if twice:
            raise DatasetError(f"{table}: (participant, {name}) {twice} occur twice")
    return sorted(presentations, key=lambda row: (row.participant, row.trial))


def read(sources: Sequence[Source], *, heart: str, eda_unit: str | None) -> Iterator[Outcome]:
    """Yield each source with its reading or with what is wrong with it.

    sources  : of one .dat file, or without one
    heart    : PPG
    eda_unit : of the GSR in the file, as physio.units names it

    Raises DatasetError if `heart` is no channel of DEAP's .dat files or `eda_unit` is not given.
    """
    if heart != "PPG":
        raise DatasetError("DEAP has no ECG; set datasets.<name>.heart to PPG")
    if eda_unit is None:
        raise DatasetError("DEAP does not say its GSR's unit; set datasets.<name>.eda_unit")
    return _read(sources, sources[0].signals, eda_unit)


def _read(sources: Sequence[Source], path: Path | None, eda_unit: str) -> Iterator[Outcome]:
    try:
        arrays = _load(path) if path else None
    except RecordingError as error:
        yield from ((source, error) for source in sources)
        return
    rows = {(row.participant, row.trial): row for row in read_presentations(sources[0].tables[0])}
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
        or labels.shape != (len(data), N_RATINGS)
    ):
        raise RecordingError(
            f"{path.name}: data {data.shape} and labels {labels.shape}, expected (trials, "
            f"{N_CHANNELS}, more than {BASELINE * SAMPLING_RATE:g}) and (trials, {N_RATINGS})"
        )
    return data, labels


def _read_trial(
    source: Source,
    *,
    arrays: tuple[Floats, Floats] | None,
    rows: dict[tuple[int, int], Presentation],
    eda_unit: str,
) -> Reading:
    row = rows[int(source.subject[1:]), int(source.trial[1:])]
    if arrays is None and source.video is None:
        raise RecordingError(f"nothing recorded: no {source.subject}.dat, no video")
    ratings = ratings_of(valence=row.valence, arousal=row.arousal)
    signals: tuple[Signal, ...] = ()
    duration = None
    if arrays is not None:
        samples, labels = _row(arrays, row.experiment, source.subject)
        ratings = _same_ratings(ratings, ratings_of(valence=labels[0], arousal=labels[1]), row)
        signals = _signals(samples, eda_unit=eda_unit)
        duration = samples.shape[1] / SAMPLING_RATE - BASELINE
    absent = {
        f"no {source.subject}.dat": arrays is None,
        "no ratings": not ratings,
        f"no {source.subject}_trial{row.trial:02d}.avi": source.video is None,
    }
    return Reading(
        signals=signals,
        ratings=ratings,
        video_start=0.0 if source.video else None,
        duration=duration,
        missing=tuple(sentence for sentence, is_absent in absent.items() if is_absent),
    )


def _row(arrays: tuple[Floats, Floats], experiment: int, subject: str) -> tuple[Floats, Floats]:
    data, labels = arrays
    if not 1 <= experiment <= len(data):
        raise RecordingError(
            f"{subject}.dat: {len(data)} trials, none for Experiment_id {experiment}"
        )
    return data[experiment - 1], labels[experiment - 1]


def _same_ratings(
    table: dict[str, float], data: dict[str, float], row: Presentation
) -> dict[str, float]:
    """The .dat's ratings; RecordingError if the table's differ, for then the join is wrong."""
    for name in table:
        if name in data and abs(table[name] - data[name]) > ROUNDING:
            raise RecordingError(
                f"{name} is {data[name]:g} in row {row.experiment - 1} of the .dat and "
                f"{table[name]:g} in {RATINGS_FILE} (Trial {row.trial}, Experiment_id "
                f"{row.experiment}); one of them is of another trial"
            )
    return data or table


def _signals(samples: Floats, *, eda_unit: str) -> tuple[Signal, ...]:
    ppg = check_signal(_signal("PPG", "a.u.", samples[PLETHYSMOGRAPH]))
    gsr = check_signal(_signal("EDA", eda_unit, samples[GSR]))
    conductance, unit = to_conductance(gsr.samples, unit=eda_unit)
    return ppg, _signal("EDA", unit, conductance)


def _signal(channel: str, unit: str, samples: Floats) -> Signal:
    return Signal(channel, unit, SAMPLING_RATE, -BASELINE, samples)
