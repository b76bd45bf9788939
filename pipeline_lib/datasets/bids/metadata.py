"""Read what stands beside BIDS data: JSON sidecars, which inherit, and tables with a header."""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from reprlib import repr as short
from typing import Any

from pipeline_lib.datasets.bids.names import File, applicable
from pipeline_lib.recordings import RecordingError

MISSING = "n/a"
TIMES = (-1e10, 1e10)  # s; a clock may count from 1970
# What a file may ask of memory and time; more is an error.
LARGEST = 2**24  # bytes
MOST_COLUMNS = 200
MOST_ROWS = 100_000


@dataclass(frozen=True)
class Sidecar:
    """What the JSON files of a data file say together."""

    name: str  # of the one beside it, for errors
    content: Mapping[str, Any]

    def number(self, key: str, *, low: float, high: float) -> float:
        """A required number; raises RecordingError if it is none, or outside low - high."""
        value = self.content.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise RecordingError(f"{self.name}: {key} is {short(value)}, expected a number")
        if not low <= value <= high:
            raise RecordingError(
                f"{self.name}: {key} is {short(value)}, outside {low:g} - {high:g}"
            )
        return float(value)

    def columns(self) -> list[str]:
        """The names in Columns; raises RecordingError unless they are names, each once."""
        names = self.content.get("Columns")
        if (
            isinstance(names, list)
            and all(isinstance(name, str) for name in names)
            and len(set(names)) == len(names) <= MOST_COLUMNS
        ):
            return names
        raise RecordingError(
            f"{self.name}: Columns is {short(names)}, expected a list of at most {MOST_COLUMNS} "
            f"names, each once"
        )

    def unit(self, column: str) -> str:
        """Units of a column; n/a if it does not say."""
        described = self.content.get(column)
        unit = described.get("Units") if isinstance(described, dict) else None
        return unit if isinstance(unit, str) else MISSING


def read_sidecar(file: File, metadata: Iterable[File]) -> Sidecar | None:
    """Merge the JSON files that apply to a data file; None if there are none.

    Raises RecordingError, naming the file, if one is no JSON object.
    """
    found = applicable((one for one in metadata if one.extension == ".json"), to=file)
    merged: dict[str, Any] = {}
    for one in found:
        merged |= _read_json(one.path)
    return Sidecar(f"{file.stem}.json", merged) if found else None


def read_rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield line number and cells by column of each row, without the cells that it lacks.

    A line is a row, whatever quotes it holds, and a blank one is none. Raises RecordingError,
    naming the file, if it is no such table, or a very large one.
    """
    columns: list[str] = []
    n_rows = 0
    for line, text in enumerate(io.StringIO(_text(path), newline=None), start=1):
        cells = _cells(text)
        if not any(cells):
            continue
        if not columns:
            columns = cells
            _check_columns(columns, path.name)
            continue
        n_rows += 1
        if n_rows > MOST_ROWS:
            raise RecordingError(f"{path.name}: more than {MOST_ROWS} rows")
        if any(cells[len(columns) :]):
            raise RecordingError(
                f"{path.name}, line {line}: {len(cells)} cells in {len(columns)} columns"
            )
        yield line, dict(zip(columns, cells, strict=False))


def _cells(line: str) -> list[str]:
    """Cells without blanks at their ends; BIDS has quotes around one that holds a tab."""
    line = line.removesuffix("\n")
    try:
        cells = next(csv.reader([line], delimiter="\t", strict=True), [])
    except csv.Error:  # a quote that does not close, which is text
        cells = line.split("\t")
    return [cell.strip() for cell in cells]


def _check_columns(columns: list[str], name: str) -> None:
    if len(columns) > MOST_COLUMNS:
        raise RecordingError(f"{name}: more than {MOST_COLUMNS} columns")
    twice = sorted(column for column, n in Counter(columns).items() if column and n > 1)
    if twice:
        raise RecordingError(f"{name}: columns {short(twice)} occur twice")


def _read_json(path: Path) -> dict[str, Any]:
    text = _text(path)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RecordingError(f"{path.name}: not readable JSON ({error})") from None
    if not isinstance(content, dict):
        raise RecordingError(f"{path.name}: holds a {type(content).__name__}, expected an object")
    return content


def _text(path: Path) -> str:
    """A small file whole, without a byte order mark."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
        text = content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RecordingError(f"{path.name}: not readable ({error})") from None
    if len(content) > LARGEST:
        raise RecordingError(f"{path.name}: larger than {LARGEST} bytes")
    return text
