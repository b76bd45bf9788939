"""Read a table of ECG, EDA and respiration that nobody vouches for."""

import io
import math
from pathlib import Path

from pipeline_lib.recordings import Floats, RecordingError

NEEDED = ("ECG", "EDA")  # columns; RR, the respiration, is not read
MAX_BYTES = 2**26  # of a file; three minutes at 500 Hz take 5 MB
MAX_HEADER = 2**12  # bytes of the first line
MISSING = ["NaN", "nan", "NA", "n/a"]  # beside an empty cell


def read_columns(path: Path) -> dict[str, Floats]:
    """(n_times,) of every needed channel; what is missing in it is NaN.

    Raises RecordingError, naming the file, if it is too large, lacks one of them, or holds
    anything else than numbers.
    """
    import polars as pl

    content = _content(path)
    names = _header(content, path.name)
    # Only what is needed has a name that occurs once.
    columns = [name if name in NEEDED else f"column {i}" for i, name in enumerate(names)]
    try:
        table = pl.read_csv(
            io.BytesIO(content.rstrip() + b"\n"),  # or a blank line were a row
            has_header=False,
            skip_rows=1,
            schema=dict.fromkeys(columns, pl.String),
            null_values=MISSING,
            quote_char=None,  # or one quote astray swallows lines
        ).select(pl.col(NEEDED).str.strip_chars().cast(pl.Float64))
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise RecordingError(f"{path.name}: not {names} of numbers ({reason})") from None
    return {name: table[name].fill_null(math.nan).to_numpy() for name in NEEDED}


def _content(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise RecordingError(f"{path.name}: {size} bytes, above the limit of {MAX_BYTES}")
        return path.read_bytes()
    except OSError as error:
        raise RecordingError(f"{path.name}: cannot be read ({error.strerror})") from None


def _header(content: bytes, name: str) -> list[str]:
    """Names of the columns; whatever is no line of text is refused before it is unpacked."""
    first, end, _ = content[:MAX_HEADER].partition(b"\n")
    try:
        line = first.decode("utf-8-sig").rstrip("\r")
    except UnicodeDecodeError:
        line = ""
    names = [cell.strip().strip('"') for cell in line.split(",")]
    if not (
        end
        and line.isascii()
        and line.isprintable()
        and all(names.count(column) == 1 for column in NEEDED)
    ):
        raise RecordingError(
            f"{name}: begins with {first[:50]!r}, expected columns with one each of {NEEDED}"
        )
    return names
