"""The tables of Hume-Reaction's two packs: in which split a clip is, and how it is labelled."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pipeline_lib.core.schema import REACTIONS
from pipeline_lib.datasets.files import ADVICE, LINE, find, read_csv
from pipeline_lib.recordings import DatasetError, RecordingError

CLASSES = REACTIONS
SPLITS = {"train": "train", "devel": "validation", "val": "validation", "test": "test"}
INFO, LABELS, PARTITION = "data_info.csv", "labels.csv", "partition.csv"
LAYOUT = (
    f"{INFO}, mp4/00001.mp4 and wav/00001.wav (ABAW), or c2_muse_reaction/{LABELS} and "
    f"{PARTITION} (MuSe)"
)
ID = "[A-Za-z0-9][A-Za-z0-9_-]{0,63}"  # of a clip, which files are named after
WITHHELD = -1.0  # in place of a label


@dataclass(frozen=True)
class Row:
    """What the tables say about a clip."""

    split: str | None  # train | validation | test; None: a labelled clip that is in no split
    labels: tuple[str | None, ...]  # as written, in the order of CLASSES; (): no row has them


def find_tables(root: Path) -> tuple[Path, ...]:
    """data_info.csv of the ABAW pack, or labels.csv and partition.csv of the MuSe pack.

    Raises DatasetError if `root` holds neither, or both.
    """
    infos, labels = (find(root, re.escape(name)).values() for name in (INFO, LABELS))
    found = [*infos, *labels]
    if not found:
        raise DatasetError(f"{root}: no Hume-Reaction tables; expected {LAYOUT}; {ADVICE}")
    if len(found) > 1:
        raise DatasetError(f"{found[0]} and {found[1]} are of two packs of one set; keep one")
    (table,) = found
    if table.name == INFO:
        return (table,)
    partition = table.with_name(PARTITION)
    if not partition.is_file():
        raise DatasetError(f"{table}: no {PARTITION} beside it; expected {LAYOUT}; {ADVICE}")
    return table, partition


def read_rows(tables: tuple[Path, ...]) -> Mapping[str, Row]:
    """All clips of the tables, by File_ID without its brackets, in their order.

    Clips are read one by one: unchanged tables are parsed once a process. Raises DatasetError,
    naming file and line, for what is no table of Hume-Reaction.
    """
    return _read_rows(tables, tuple(table.stat().st_mtime_ns for table in tables))


@lru_cache(maxsize=1)
def _read_rows(tables: tuple[Path, ...], changed: tuple[int, ...]) -> Mapping[str, Row]:
    labels, splits = tables[0], tables[-1]
    labelled = _by_id(labels, ("File_ID", *CLASSES))
    if len(tables) == 1:
        located = _by_id(splits, ("File_ID", "Split"))
    else:
        located = _by_id(splits, _outer_columns(splits))
    rows = {name: Row(_split(name, text, splits), ()) for name, (text,) in located.items()}
    return rows | {
        name: Row(rows[name].split if name in rows else None, fields)
        for name, fields in labelled.items()
    }


def _outer_columns(table: Path) -> tuple[str, str]:
    """First and last: partition.csv is read by position."""
    columns = read_csv(table, columns=()).columns
    if len(columns) < 2:
        raise DatasetError(f"{table}: has {columns}, expected File_IDs first and splits last")
    return columns[0], columns[-1]


def ratings_of(row: Row) -> dict[str, float]:
    """The seven labels by class, or {} if all are absent, NaN or -1.

    Raises RecordingError if some are, or if one lies outside 0 - 1.
    """
    labels = dict(zip(CLASSES, map(_number, row.labels), strict=False))
    absent = [name for name, label in labels.items() if math.isnan(label) or label == WITHHELD]
    if len(absent) == len(labels):
        return {}
    if absent:
        raise RecordingError(f"labels of {', '.join(absent)} are absent, those of the others not")
    for name, label in labels.items():
        if not 0 <= label <= 1:
            raise RecordingError(f"{name} is labelled {label:g}, outside 0 - 1")
    return labels


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        raise RecordingError(f"a label is {text!r}, expected a number") from None


def _split(name: str, text: str | None, table: Path) -> str:
    split = SPLITS.get((text or "").strip().lower())
    if split is None:
        raise DatasetError(f"{table}: [{name}] is in split {text!r}, expected one of {[*SPLITS]}")
    return split


def _by_id(table: Path, columns: Sequence[str]) -> dict[str, tuple[str | None, ...]]:
    """Fields of the columns after the first, by the File_ID in the first."""
    rows: dict[str, tuple[str | None, ...]] = {}
    selected = read_csv(table, columns=columns, numbered=True).select(LINE, *columns)
    for line, name, *fields in selected.iter_rows():
        match = re.fullmatch(rf"\[({ID})\]|({ID})", name or "")
        if match is None:
            raise DatasetError(f"{table}, line {line}: {name!r}, expected a File_ID like [00012]")
        bare = match[1] or match[2]
        if bare in rows:
            raise DatasetError(f"{table}, line {line}: {name} occurs twice")
        rows[bare] = tuple(fields)
    return rows
