"""Read cell arrays of MATLAB 5 files that nobody vouches for.

SciPy's reader is not used: a single wrong byte in an uncompressed file can end its process. This
one knows what data sets need (cells of real matrices and text) and checks every size before it
believes it. The format is that of MathWorks' "MAT-File Format", level 5.
"""

import contextlib
import math
import struct
import zlib
from collections.abc import Collection, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from pipeline_lib.recordings import Floats, RecordingError

Cell = npt.NDArray[Any] | str | None  # None: of a class that is not read

MAX_BYTES = 2**28  # of a variable, uncompressed; AMIGOS needs half of it
MAX_CELLS = 1000  # of a variable
_HEADER_BYTES = 128
_TITLE = b"MATLAB 5.0 MAT-file"
_HDF5 = (b"MATLAB 7.3", b"\x89HDF")
_ORDERS = {b"IM": "<", b"MI": ">"}  # the header's last two bytes
_TAG = 8  # bytes: type and size of an element
_PEEK = 256  # bytes that hold a matrix's flags, dimensions and name

# Types of elements.
_MATRIX, _COMPRESSED = 14, 15
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8",
            13: "u8"}  # fmt: skip
_TEXTS = {
    "<": {1: "latin1", 2: "latin1", 4: "utf-16-le", 16: "utf-8", 17: "utf-16-le"},
    ">": {1: "latin1", 2: "latin1", 4: "utf-16-be", 16: "utf-8", 17: "utf-16-be"},
}
# Classes of matrices, and a flag.
_CELL, _CHAR, _NUMERIC = 1, 4, range(6, 16)
_COMPLEX = 0x800


def read_cells(path: Path, names: Collection[str]) -> dict[str, list[Cell]]:
    """Return the named cell arrays, which are (1, n), all of one n.

    Raises RecordingError if the file is not of version 5, is damaged, or lacks one of them.
    """
    with _readable(path), path.open("rb") as file:
        order = _check_header(file.read(_HEADER_BYTES), path.name)
        found = {
            name: _cells(content, order, f"{path.name}: {name}")
            for name, content in _elements(file, names, order)
        }
    lacking = sorted(set(names) - set(found))
    if lacking:
        raise RecordingError(f"{path.name}: lacks {lacking}")
    if len({len(cells) for cells in found.values()}) > 1:
        raise RecordingError(f"{path.name}: {sorted(names)} differ in their number of cells")
    return found


def numbers(cell: Cell, *, name: str) -> Floats:
    """A cell's matrix, (rows, columns); raises RecordingError if it holds anything else."""
    if isinstance(cell, np.ndarray) and cell.ndim == 2:
        # MATLAB stores whole numbers in the smallest type that holds them: these may grow.
        if cell.size * np.dtype(np.float64).itemsize > MAX_BYTES:
            raise RecordingError(f"{name} is {cell.shape}, more than {MAX_BYTES} bytes of numbers")
        return cell.astype(np.float64, copy=False)
    found = f"an array {cell.shape}" if isinstance(cell, np.ndarray) else repr(cell)
    raise RecordingError(f"{name} holds {found}, expected a matrix of real numbers")


def text(cell: Cell) -> str:
    """A cell's text without blanks at its ends; "" if it holds anything else."""
    return cell.strip() if isinstance(cell, str) else ""


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn what damage makes the functions below raise into a RecordingError."""
    try:
        yield
    except RecordingError:
        raise
    except (LookupError, OSError, ValueError, struct.error, zlib.error) as error:
        raise RecordingError(f"{path.name}: damaged MATLAB file ({error}); copy it again") from None


def _check_header(header: bytes, name: str) -> str:
    """Byte order of the file, as struct and NumPy write it."""
    if header.startswith(_HDF5):
        raise RecordingError(f"{name}: a MATLAB 7.3 file; load it in MATLAB and save it with -v7")
    if not header.startswith(_TITLE) or header[-2:] not in _ORDERS:
        raise RecordingError(
            f"{name}: begins with {header[: len(_TITLE)]!r}, not with {_TITLE!r}; "
            f"copy it again, or save it in MATLAB with -v7"
        )
    return _ORDERS[header[-2:]]


def _elements(
    file: BinaryIO, names: Collection[str], order: str
) -> Iterator[tuple[str, memoryview]]:
    """Yield name and content of the named variables, once each; the others are not read."""
    wanted = set(names)
    while wanted and (tag := file.read(_TAG)):
        kind, size = struct.unpack(f"{order}II", tag)
        start = file.tell()
        peek = _content(kind, file.read(min(size, _PEEK)), limit=_PEEK)
        *_, name = _head(_parts(peek, order), order)
        if name in wanted:
            wanted.remove(name)
            if size > MAX_BYTES:
                raise ValueError(f"{name} has {size} bytes, above the limit of {MAX_BYTES}")
            file.seek(start)
            stored = file.read(size)
            if len(stored) < size:
                raise ValueError(f"{name} ends after {len(stored)} of {size} bytes")
            yield name, _content(kind, stored, limit=MAX_BYTES)
        file.seek(start + size)


def _content(kind: int, stored: bytes, *, limit: int) -> memoryview:
    """What a variable holds, without its tag; of a peek, the beginning of it."""
    if kind == _MATRIX:
        return memoryview(stored)
    if kind != _COMPRESSED:
        raise ValueError(f"a variable of type {kind}")
    inflater = zlib.decompressobj()
    content = inflater.decompress(stored, limit)
    # The checksum at the end is compared only when the end is reached.
    if limit != _PEEK and not inflater.eof:
        raise ValueError(f"a variable that ends early or has more than {limit} bytes")
    return memoryview(content)[_TAG:]


def _parts(content: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """Yield type and bytes of the elements inside of a matrix."""
    offset = 0
    while offset < len(content):
        kind, size = struct.unpack_from(f"{order}II", content, offset)
        start = offset + _TAG
        if kind >> 16:  # a small element: type and size share four bytes, and four follow
            kind, size, start = kind & 0xFFFF, kind >> 16, offset + 4
        if start + size > len(content):
            raise ValueError(f"an element of {size} bytes where {len(content) - start} are left")
        yield kind, content[start : start + size]
        offset = _TAG * math.ceil((start + size) / _TAG)


def _head(
    parts: Iterator[tuple[int, memoryview]], order: str
) -> tuple[int, bool, tuple[int, ...], str]:
    """Class of a matrix, whether it is complex, its dimensions and its name."""
    (_, flags), (_, dimensions), (_, name) = islice(parts, 3)
    (word, _) = struct.unpack(f"{order}II", flags)
    shape = tuple(np.frombuffer(dimensions, f"{order}i4").tolist())
    if min(shape, default=-1) < 0:
        raise ValueError(f"a matrix of size {shape}")
    return word & 0xFF, bool(word & _COMPLEX), shape, bytes(name).decode("latin1")


def _cells(content: memoryview, order: str, name: str) -> list[Cell]:
    parts = _parts(content, order)
    kind, _, shape, _ = _head(parts, order)
    if kind != _CELL or len(shape) != 2 or shape[0] != 1:
        raise RecordingError(f"{name} is of class {kind} and size {shape}, expected cells (1, n)")
    cells = [_cell(element, order) for _, element in islice(parts, MAX_CELLS + 1)]
    if len(cells) != shape[1]:
        raise ValueError(f"{name} holds {len(cells)} of {shape[1]} cells")
    return cells


def _cell(content: memoryview, order: str) -> Cell:
    if not content:  # so MATLAB writes a cell that was never filled
        return np.zeros((0, 0))
    parts = _parts(content, order)
    kind, is_complex, shape, _ = _head(parts, order)
    if 0 in shape:
        return np.zeros((0, 0))
    if kind == _CHAR and shape[0] == 1:
        type_, data = next(parts, (0, memoryview(b"")))
        return bytes(data).decode(_TEXTS[order][type_])
    if kind in _NUMERIC and not is_complex:
        type_, data = next(parts, (0, memoryview(b"")))
        values = np.frombuffer(data, f"{order}{_NUMBERS[type_]}")
        return values.reshape(shape, order="F")
    return None
