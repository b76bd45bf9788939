"""What is wrong with recordings: grouped reasons, copies, and which subject has which trial."""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

STATUSES = ("ok", "partial", "excluded", "failed")  # from good to bad
LARGEST_GRID = (200, 150)  # subjects, trials
LEAST_TRIALS = 1.5  # recordings a subject on average, below which a grid shows nothing

_FILE = r"[^\s:;,'\"()]+\.[A-Za-z]\w{1,4}\b"
_NUMBER = r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?"


@dataclass(frozen=True)
class Reason:
    """Reasons of one status that differ in numbers and names of files only."""

    status: str
    text: str  # what they have in common, whole if they are equal
    example: str  # the whole reason of the first recording
    recordings: tuple[str, ...]


@dataclass(frozen=True)
class Copies:
    """Recordings with the same content; in several subjects or splits they are a leak."""

    what: str  # video | audio | signals
    recordings: tuple[str, ...]
    subjects: int
    splits: int


@dataclass(frozen=True)
class Cell:
    status: str  # of STATUSES; "": no such recording
    reason: str


@dataclass(frozen=True)
class Grid:
    trials: tuple[str, ...]
    rows: dict[str, tuple[Cell, ...]]  # subject -> a cell for each trial


def reasons(recordings: pl.DataFrame) -> list[Reason]:
    """Why recordings in facts.CHECKED are not ok; what most of them have comes first."""
    groups: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)  # -> recording -> reason
    bad = recordings.filter(pl.col("status") != "ok").select("status", "recording_id", "reason")
    for status, name, reason in bad.rows():
        # A partial recording has a sentence for each thing that it lacks.
        for sentence in reason.split("; ") if status == "partial" else [reason]:
            groups[status, pattern(sentence)][name] = sentence
    found = []
    for (status, text), of_group in groups.items():
        names = _sorted(of_group)
        example = of_group[names[0]]
        same = len(set(of_group.values())) == 1
        found.append(Reason(status, example if same else text, example, names))
    return sorted(found, key=lambda r: (-len(r.recordings), r.status, r.text))


def pattern(reason: str) -> str:
    """A reason without what differs between recordings: numbers and names of files."""
    parts = re.split(f"({_FILE})", reason)
    return "".join(
        f"*{part[part.rindex('.') :]}" if i % 2 else re.sub(_NUMBER, "#", part)
        for i, part in enumerate(parts)
    )


def copies(recordings: pl.DataFrame) -> list[Copies]:
    """Equal content of different files, or equal signals of different recordings.

    recordings : facts.CHECKED
    """
    found = []
    for what, place in (("video", "video"), ("audio", "audio"), ("signals", "recording_id")):
        groups = (
            recordings.drop_nulls(f"{what}_content")
            .group_by(f"{what}_content")
            .agg(
                pl.col("recording_id"),
                pl.col("subject", "split").n_unique(),
                pl.col(place).n_unique().alias("places"),
            )
            .filter(pl.col("places") > 1)
        )
        columns = groups.select("recording_id", "subject", "split").rows()
        found += [Copies(what, _sorted(names), *counts) for names, *counts in columns]
    return sorted(found, key=lambda c: (c.what, *map(natural, c.recordings)))


def grid(recordings: pl.DataFrame) -> Grid | None:
    """Subjects x trials of facts.CHECKED; None if they are too many, or subjects have one each.

    Of several recordings in one cell the worst is shown.
    """
    subjects, trials = (_sorted(recordings[key].unique()) for key in ("subject", "trial"))
    too_many = len(subjects) > LARGEST_GRID[0] or len(trials) > LARGEST_GRID[1]
    if too_many or recordings.height < LEAST_TRIALS * len(subjects):
        return None
    rows = recordings.sort("recording_id").select("subject", "trial", "status", "reason").rows()
    from_good = sorted(rows, key=lambda row: STATUSES.index(row[2]))
    cells = {(subject, trial): Cell(*outcome) for subject, trial, *outcome in from_good}
    nothing = Cell("", "")
    return Grid(trials, {s: tuple(cells.get((s, t), nothing) for t in trials) for s in subjects})


def natural(name: str) -> tuple[int | str, ...]:
    """A key that sorts P2 before P10."""
    parts = re.split(r"(\d+)", name)
    return tuple(int(part) if i % 2 else part for i, part in enumerate(parts))


def _sorted(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(names, key=natural))
