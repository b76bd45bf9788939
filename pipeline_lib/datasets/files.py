"""Find a data set's files by their names, wherever unzipping has put them."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from pipeline_lib.recordings import DatasetError

ADVICE = "check datasets.<name>.root in params.yaml"
LINE = "line number"  # a column
MAX_TABLE = 2**28  # bytes of a CSV
# gzip, zlib and zstd, which polars would unpack without asking for how much.
COMPRESSED = (b"\x1f\x8b", b"\x78\x01", b"\x78\x9c", b"\x78\xda", b"\x28\xb5\x2f\xfd")


def check_root(root: Path, *, layout: str) -> None:
    """Raise DatasetError unless `root` is a folder with something in it."""
    if not root.is_dir():
        raise DatasetError(f"{root}: no such folder; expected {layout}; {ADVICE}")
    if not any(root.iterdir()):
        raise DatasetError(f"{root}: empty folder; expected {layout}; {ADVICE}")


def find(root: Path, pattern: str) -> dict[tuple[str, ...], Path]:
    """Files below `root` whose whole name matches, in the order of the pattern's groups.

    Raises DatasetError if two files have the same groups, or a folder cannot be read.
    """
    found: dict[tuple[str, ...], Path] = {}
    for match, path in matches(root, pattern):
        twice = found.setdefault(match.groups(), path)
        if twice != path:
            first, second = sorted((path, twice))
            raise DatasetError(f"{first} and {second} both claim the same place; keep one")
    return dict(sorted(found.items()))


def matches(root: Path, pattern: str) -> Iterator[tuple[re.Match[str], Path]]:
    """Yield every file below `root` whose whole name matches, with the match, sorted by folder.

    Links are followed; each folder is walked once. Raises DatasetError if one cannot be read.
    """
    fits = re.compile(pattern).fullmatch
    walked: set[tuple[int, int]] = set()
    ahead = [root]
    while ahead:
        folder = ahead.pop()
        try:
            status = folder.stat()
            with os.scandir(folder) as entries:
                inside = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            raise DatasetError(f"{folder}: cannot be read ({error.strerror})") from None
        if (status.st_dev, status.st_ino) in walked:  # links can go round in circles
            continue
        walked.add((status.st_dev, status.st_ino))
        ahead += [folder / entry.name for entry in reversed(inside) if _is_folder(entry)]
        for entry in inside:
            if (match := fits(entry.name)) and _is_file(entry):  # a pipe would hold us for ever
                yield match, folder / entry.name


def read_csv(table: Path, *, columns: Sequence[str], numbered: bool = False) -> pl.DataFrame:
    """Read a CSV with a header line as text, all of its columns; what is blank is null.

    numbered : the first column is LINE, the number of the line, counted as if no cell had two

    Blanks at the ends of names and cells are cut off, and blank lines are no rows. Raises
    DatasetError, naming the file, if it is none, is too large or lacks one of `columns`.
    """
    try:
        size = table.stat().st_size
        if size > MAX_TABLE:
            raise DatasetError(f"{table}: {size} bytes, above the {MAX_TABLE} of a table")
        with table.open("rb") as file:
            start = file.read(4)
        if start.startswith(COMPRESSED):
            raise DatasetError(f"{table}: is compressed; unpack it")
        content = pl.read_csv(table, infer_schema=False, glob=False).rename(str.strip)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = str(error).splitlines()[0]
        raise DatasetError(f"{table}: not readable as CSV ({reason})") from None
    lacking = [name for name in columns if name not in content.columns]
    if lacking:
        raise DatasetError(f"{table}: lacks {lacking}, has {content.columns}")
    cells = content.select(pl.all().str.strip_chars().replace("", None))
    if numbered:
        lines = pl.int_range(2, cells.height + 2, eager=True)
        cells = cells.insert_column(0, lines.alias(LINE))
    return cells.filter(pl.any_horizontal(pl.col(content.columns).is_not_null()))


# Entries know what they are, which no stat for each of 300,000 files could tell as fast. Links do
# not; of one that goes nowhere, os.path says False.
def _is_folder(entry: "os.DirEntry[str]") -> bool:
    return os.path.isdir(entry) if entry.is_symlink() else entry.is_dir()


def _is_file(entry: "os.DirEntry[str]") -> bool:
    return os.path.isfile(entry) if entry.is_symlink() else entry.is_file()
