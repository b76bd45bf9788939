"""Read cells of MATLAB 5 files that nobody vouches for: header, names, dtype and shape first."""

import contextlib
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline_lib.recordings import RecordingError

Cells = npt.NDArray[np.object_]

_HEADER = b"MATLAB 5.0 MAT-file"
_HDF5 = (b"MATLAB 7.3", b"\x89HDF")


def read_cells(path: Path, names: Sequence[str]) -> dict[str, Cells]:
    """Return the named cell arrays, each (n_cells,), all of one length.

    Raises RecordingError if the file is not of version 5, is damaged, or lacks one of them.
    """
    from scipy.io import loadmat, whosmat

    _check_header(path)
    with _readable(path):
        kinds = {name: (shape, kind) for name, shape, kind in whosmat(path)}
    for name in names:
        shape, kind = kinds.get(name, ((), "absent"))
        if kind != "cell" or len(shape) != 2 or shape[0] != 1:
            raise RecordingError(
                f"{path.name}: {name} is {kind} {shape}, expected cells (1, n); found {list(kinds)}"
            )
    if len({kinds[name] for name in names}) > 1:
        raise RecordingError(f"{path.name}: {list(names)} differ in their number of cells")
    with _readable(path):
        # squeeze_me would change the shapes of cells and the type of text.
        content = loadmat(path, variable_names=list(names), squeeze_me=False)
    return {name: content[name][0] for name in names}


def numbers(cell: object, *, name: str) -> npt.NDArray[np.float64]:
    """Return a cell's matrix as float64 (rows, columns); raise RecordingError if it is none."""
    if isinstance(cell, np.ndarray) and cell.size == 0:
        return np.zeros((0, 0))  # MATLAB's [] has any type
    if not isinstance(cell, np.ndarray) or cell.dtype.kind not in "fiu" or cell.ndim != 2:
        found = f"{cell.dtype} {cell.shape}" if isinstance(cell, np.ndarray) else type(cell)
        raise RecordingError(f"{name} holds {found}, expected a matrix of real numbers")
    return cell.astype(np.float64)


def text(cell: object) -> str:
    """Return a cell's one string without blanks at its ends; "" if it holds anything else."""
    if isinstance(cell, np.ndarray) and cell.dtype.kind == "U" and cell.size == 1:
        return str(cell.flat[0]).strip()
    return ""


def _check_header(path: Path) -> None:
    with _readable(path), path.open("rb") as file:
        header = file.read(128)
    if header.startswith(_HDF5):
        raise RecordingError(
            f"{path.name}: a MATLAB 7.3 file; load it in MATLAB and save it with -v7"
        )
    if not header.startswith(_HEADER):
        raise RecordingError(
            f"{path.name}: begins with {header[:19]!r}, not with {_HEADER!r}; "
            f"copy it again, or save it in MATLAB with -v7"
        )


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn all that SciPy raises on a damaged file into a RecordingError."""
    from scipy.io.matlab import MatReadError

    # Its reader has no common base for these: a flipped bit shows as any of them.
    damage = (MatReadError, ArithmeticError, EOFError, LookupError, MemoryError, OSError,
              struct.error, TypeError, ValueError, zlib.error)  # fmt: skip
    try:
        yield
    except damage as error:
        raise RecordingError(f"{path.name}: damaged MATLAB file ({error}); copy it again") from None
