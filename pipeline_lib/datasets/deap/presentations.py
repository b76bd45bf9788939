"""What DEAP's two layouts share: who saw what when, how it was rated, and where its files lie.

The files disagree on order: row i of a .dat is Experiment_id i + 1, while the video YY and the YYth
onset in a .bdf follow Trial, the order of presentation. Only participant_ratings.csv knows both, so
everything is joined through it.
"""

import filecmp
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline_lib.core.schema import TARGETS
from pipeline_lib.datasets.files import ADVICE, LINE, check_root, matches, read_csv
from pipeline_lib.datasets.outcomes import RATINGS
from pipeline_lib.recordings import (
    DatasetError,
    Official,
    Reading,
    RecordingError,
    Signal,
    Source,
)

EDAUnit = str | Mapping[str, str]  # of all GSR, or by site
Files = dict[tuple[str, ...], Path]  # by the groups of a pattern

RATINGS_FILE = "participant_ratings.csv"
KEYS = ("Participant_id", "Trial", "Experiment_id")
RATED = ("Valence", "Arousal", "Dominance", "Liking", "Familiarity")
MAX_ROWS = 10_000  # of the ratings, which have 1280

OFFICIAL = Official(
    subjects=32,
    recordings=32 * 40,
    videos=22 * 40,
    source="DEAP's readme: 32 participants, 40 trials each, face video of participants 1 - 22",
)
SITES = ("twente", "geneva")
FIRST_IN_GENEVA = 23  # participant [?]


@dataclass(frozen=True)
class Presentation:
    """A row of participant_ratings.csv."""

    participant: int
    trial: int  # in the order of presentation, from 1
    experiment: int  # the stimulus, from 1
    start: float  # of the video, in the table's own unit; NaN: blank
    ratings: Mapping[str, float]  # by name, without the blank ones


def discover(root: Path, *, suffix: Literal["dat", "bdf"], layout: str) -> list[Source]:
    """One source per row of participant_ratings.csv, by participant and presentation.

    suffix : of the files with the signals, one a participant
    layout : what the root should hold, for errors

    Participants of whom neither signals nor a video are there are left out. Raises DatasetError
    if the ratings are not there, if a file has no row in them, or if there are no files.
    """
    check_root(root, layout=layout)
    tables = _find(root, r"participant_ratings\.csv")
    if not tables:
        raise DatasetError(
            f"{root}: no {RATINGS_FILE}, without which trials cannot be joined; "
            f"expected {layout}; {ADVICE}"
        )
    (table,) = tables.values()
    presentations = read_presentations(table)
    signals = _find(root, rf"s0*([0-9]+)\.{suffix}")
    videos = _find(root, r"s0*([0-9]+)_trial0*([0-9]+)\.avi")
    present = {int(participant) for participant, *_ in [*signals, *videos]}
    if not present:
        raise DatasetError(f"{root}: no DEAP files; expected {layout}; {ADVICE}")
    _check_rows(presentations, [*signals.items(), *videos.items()], table)
    return [
        Source(
            recording_id=f"s{row.participant:02d}_t{row.trial:02d}",
            subject=f"s{row.participant:02d}",
            trial=f"t{row.trial:02d}",
            stimulus=str(row.experiment),
            order=row.trial,
            signals=signals.get((str(row.participant),)),
            video=videos.get((str(row.participant), str(row.trial))),
            tables=(table,),
        )
        for row in presentations
        if row.participant in present
    ]


def _find(root: Path, pattern: str) -> Files:
    """Like files.find, but unzipping a folder into itself may have left copies of a file.

    Copies are compared byte by byte, which takes as long as reading them. Raises DatasetError
    if two files of one name differ.
    """
    found: Files = {}
    for match, path in matches(root, pattern):
        first, second = sorted((path, found.get(match.groups(), path)))
        if first != second and not _same(first, second):
            raise DatasetError(
                f"{first} and {second} both claim the same place, and differ; keep one"
            )
        found[match.groups()] = first
    return dict(sorted(found.items()))


def _same(one: Path, other: Path) -> bool:
    try:
        return filecmp.cmp(one, other, shallow=False)
    except OSError as error:
        raise DatasetError(f"{error.filename}: cannot be read ({error.strerror})") from None


def _check_rows(
    presentations: Sequence[Presentation],
    files: Iterable[tuple[tuple[str, ...], Path]],
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
    content = read_csv(table, columns=(*KEYS, "Start_time", *RATED), numbered=True)
    if content.height > MAX_ROWS:
        raise DatasetError(f"{table}: {content.height} rows, above the {MAX_ROWS} that are read")
    presentations = []
    for row in content.iter_rows(named=True):
        try:
            presentations.append(_presentation(row))
        except ValueError as error:
            raise DatasetError(f"{table}, line {row[LINE]}: {error}") from None
    for name in ("trial", "experiment"):
        keys = Counter((row.participant, getattr(row, name)) for row in presentations)
        twice = sorted(key for key, count in keys.items() if count > 1)
        if twice:
            raise DatasetError(f"{table}: (participant, {name}) {twice} occur twice")
    return sorted(presentations, key=lambda row: (row.participant, row.trial))


def _presentation(row: Mapping[str, str | None]) -> Presentation:
    participant, trial, experiment = (_key(row, name) for name in KEYS)
    ratings = {name.lower(): _number(row, name) for name in RATED}
    return Presentation(
        participant,
        trial,
        experiment,
        start=_number(row, "Start_time"),
        ratings={name: value for name, value in ratings.items() if not math.isnan(value)},
    )


def _key(row: Mapping[str, str | None], name: str) -> int:
    text = row[name] or ""
    if not re.fullmatch(r" *0*[1-9][0-9]{0,2} *", text):
        raise ValueError(f"{name} is {text!r}, expected 1 - 999")
    return int(text)


def _number(row: Mapping[str, str | None], name: str) -> float:
    """A number; NaN if blank."""
    text = (row[name] or "").strip()
    try:
        return float(text or "nan")
    except ValueError:
        raise ValueError(f"{name} is {text!r}, expected a number") from None


def of_participant(source: Source) -> dict[int, Presentation]:
    """What the source's participant saw, by trial."""
    number = participant(source)
    rows = read_presentations(source.tables[0])
    return {row.trial: row for row in rows if row.participant == number}


def participant(source: Source) -> int:
    return int(source.subject[1:])


def check_settings(*, heart: str | None, eda_unit: EDAUnit | None) -> EDAUnit:
    """Return the unit of the GSR; raise DatasetError if a setting does not fit DEAP."""
    if heart != "PPG":
        raise DatasetError("DEAP has a PPG and no ECG; set datasets.<name>.heart to PPG")
    if eda_unit is None:
        raise DatasetError(
            "DEAP does not say its GSR's unit; set datasets.<name>.eda_unit to one unit or to "
            "one a site, {twente: nS, geneva: Ohm}"
        )
    if not isinstance(eda_unit, str) and set(eda_unit) != set(SITES):
        raise DatasetError(
            f"datasets.<name>.eda_unit has the keys {sorted(eda_unit)}; DEAP's sites are {SITES}"
        )
    return eda_unit


def unit_of(number: int, eda_unit: EDAUnit) -> str:
    """The GSR's unit in a participant's recording."""
    if isinstance(eda_unit, str):
        return eda_unit
    return eda_unit[SITES[number >= FIRST_IN_GENEVA]]


def as_reading(
    source: Source,
    *,
    ratings: Mapping[str, float],
    signals: tuple[Signal, ...] = (),
    duration: float | None = None,
    gap: str = "",
) -> Reading:
    """The reading of a trial, and what it lacks; `gap` says why there are no signals.

    Raises RecordingError if there is nothing but ratings, or if valence or arousal lies
    outside 1 - 9.
    """
    if gap and source.video is None:
        raise RecordingError(f"nothing recorded: {gap}, no video")
    low, high = RATINGS
    for name in TARGETS:
        if name in ratings and not low <= ratings[name] <= high:
            raise RecordingError(f"{name} is rated {ratings[name]:g}, outside {low:g} - {high:g}")
    absent = {
        gap: bool(gap),
        "no ratings": not ratings,
        **{f"no {name}": bool(ratings) and name not in ratings for name in TARGETS},
        f"no {source.subject}_trial{source.order:02d}.avi": source.video is None,
    }
    return Reading(
        signals=signals,
        ratings={name: value for name, value in ratings.items() if math.isfinite(value)},
        video_start=0.0 if source.video else None,
        duration=duration,
        missing=tuple(sentence for sentence, is_absent in absent.items() if is_absent),
    )
