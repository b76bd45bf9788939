"""Read the ratings of StressID, and derive the classes of its paper from them.

Of the two tables in which they are known to come, either or both may be there [?]:
self_assessments.csv has a row for each task and scale (`Breathing_relax`), a column for each
subject, and semicolons; labels.csv has a row for each recording (`2ea4_Breathing`), with the
classes that the owners derived or with the scales.
"""

import csv
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pipeline_lib.recordings import DatasetError, RecordingError

TASKS = ("Baseline", "Breathing", "Counting1", "Counting2", "Counting3", "Math", "Reading",
         "Relax", "Speaking", "Stroop", "Video1", "Video2")  # fmt: skip
RECORDING = rf"([A-Za-z0-9]+)_({'|'.join(TASKS)})"  # subject and task
SCALES = ("stress", "relax", "valence", "arousal")
LOWEST, MIDDLE, HIGHEST = 0.0, 5.0, 10.0  # of the scales
CLASSES = ("binary-stress", "affect3-class")  # columns of labels.csv [?]; their rule is [?]

MAX_BYTES = 2**24  # of a table
_SUBJECT = ("subject", "participant", "id")  # columns, beside one of the task
_MISSING = ("", "nan", "n/a")

Ratings = dict[str, float]  # by name
Lines = Sequence[tuple[int, list[str]]]  # number of the line, and its cells
Cells = Iterator[tuple[int, str, str, str]]  # line, recording, name of the rating, text


def stress_binary(*, stress: float) -> int:
    """1 if a recording is rated as stress, which the middle of the scale already is."""
    return int(stress >= MIDDLE)


def affect3(*, valence: float, arousal: float, stress: float, relax: float) -> int:
    """0 relaxed, 2 stressed, 1 all else: the middle of a scale is on neither side."""
    if valence > MIDDLE and arousal < MIDDLE and relax > MIDDLE:
        return 0
    if valence < MIDDLE and arousal > MIDDLE and stress > MIDDLE:
        return 2
    return 1


def with_classes(ratings: Mapping[str, float]) -> Ratings:
    """The ratings, and the classes that follow from those that are there.

    Raises RecordingError if a rating lies outside its scale.
    """
    rated = {name: ratings[name] for name in SCALES if name in ratings}
    for name, rating in rated.items():
        if not LOWEST <= rating <= HIGHEST:
            raise RecordingError(f"{name} is rated {rating:g}, outside {LOWEST:g} - {HIGHEST:g}")
    classes: Ratings = {}
    if "stress" in rated:
        classes["stress_binary"] = float(stress_binary(stress=rated["stress"]))
    if len(rated) == len(SCALES):
        classes["affect3"] = float(affect3(**rated))
    return {**ratings, **classes}


def read_ratings(tables: Sequence[Path]) -> dict[str, Ratings]:
    """Ratings by recording and name; of one that is in two tables, the later table's.

    Raises DatasetError that names the table, and its line if one is wrong.
    """
    ratings: dict[str, Ratings] = {}
    for table in tables:
        for recording, rated in _read_table(table).items():
            ratings[recording] = ratings.get(recording, {}) | rated
    return ratings


def _read_table(table: Path) -> dict[str, Ratings]:
    (_, header), *lines = _lines(table)
    by_scale = header[0].lower() == "tasks"
    cells = _by_scale(header, lines) if by_scale else _by_recording(header, lines, table)
    ratings: dict[str, Ratings] = {}
    for line, recording, name, cell in cells:
        rated = ratings.setdefault(recording, {})
        if name in rated:
            raise DatasetError(f"{table}, line {line}: {name} of {recording} occurs twice")
        if cell.lower() not in _MISSING:
            rated[name] = _number(cell, f"{table}, line {line}: {name} of {recording}")
    return ratings


def _by_scale(header: Sequence[str], lines: Lines) -> Cells:
    """Rows such as Breathing_relax; those of other questions are passed over."""
    for line, (question, *answers) in lines:
        asked = re.fullmatch(rf"({'|'.join(TASKS)})_({'|'.join(SCALES)})", question)
        if asked:
            task, scale = asked.groups()
            for subject, answer in zip(header[1:], answers, strict=True):
                yield line, f"{subject}_{task}", scale, answer


def _by_recording(header: Sequence[str], lines: Lines, table: Path) -> Cells:
    names = [name.lower() for name in header]
    rated = {name: names.index(name) for name in (*SCALES, *CLASSES) if name in names}
    if not rated:
        raise DatasetError(f"{table}: columns {header}, expected some of {[*SCALES, *CLASSES]}")
    keys = _keys(names, lines, table)
    for line, row in lines:
        recording = "_".join(row[key] for key in keys)
        yield from ((line, recording, name, row[place]) for name, place in rated.items())


def _keys(names: Sequence[str], lines: Lines, table: Path) -> list[int]:
    """The column that holds names such as 2ea4_Math, or those of subject and task."""
    _, first = lines[0] if lines else (0, [])
    for place, cell in enumerate(first):
        if re.fullmatch(RECORDING, cell):
            return [place]
    subjects = [names.index(name) for name in _SUBJECT if name in names]
    if subjects and "task" in names:
        return [subjects[0], names.index("task")]
    raise DatasetError(
        f"{table}: columns {names}; none holds names such as 2ea4_Math, and there is no pair of "
        f"subject and task"
    )


def _lines(table: Path) -> list[tuple[int, list[str]]]:
    """The header and what is below it, all of one length; blank lines are passed over."""
    try:
        size = table.stat().st_size
        if size > MAX_BYTES:
            raise DatasetError(f"{table}: {size} bytes, above the limit of {MAX_BYTES}")
        text = table.read_text(encoding="utf-8-sig").splitlines()
        delimiter = ";" if text and text[0].count(";") > text[0].count(",") else ","
        # Strict, or a quote that stays open swallows the rows below it.
        rows = list(csv.reader(text, delimiter=delimiter, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{table}: not a readable table ({error})") from None
    lines = [(i, [cell.strip() for cell in row]) for i, row in enumerate(rows, start=1)]
    lines = [(i, row) for i, row in lines if any(row)]
    if not lines:
        raise DatasetError(f"{table}: an empty table")
    n_columns = len(lines[0][1])
    for line, row in lines:
        if len(row) != n_columns:
            raise DatasetError(f"{table}, line {line}: {len(row)} cells under {n_columns} columns")
    return lines


def _number(cell: str, where: str) -> float:
    try:
        number = float(cell)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise DatasetError(f"{where} is {cell!r}, expected a number")
    return number
