"""Read a pickled dictionary of numeric arrays without running anything that it names.

A pickle is a program. This one may name four functions of NumPy's own pickles and nothing
else, and even those stand for the two small classes below, which check every argument: NumPy's
own would believe a dtype's flags and take bytes for pointers.
"""

import io
import math
import pickle
import pickletools
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline_lib.recordings import RecordingError

Floats = npt.NDArray[np.float64]

MAX_BYTES = 2**30  # ten times a DEAP file, whose whole content has to fit in memory
_DTYPE = re.compile("f[248]|[iu][1248]")
_ORDERS = ("<", ">", "=", "|")


def load_arrays(path: Path) -> dict[str, Floats]:
    """Return the arrays of a pickled {name: numeric array}, as float64.

    Reads what Python 2 and 3 write with protocols 0 to 4. Raises RecordingError, naming the
    file and what is refused, for anything else: other names, other types, a damaged stream.
    """
    # The unpickler has no common base for what a hostile or damaged stream makes it raise.
    damage = (pickle.UnpicklingError, ArithmeticError, AttributeError, EOFError, LookupError,
              MemoryError, OSError, RecursionError, TypeError, ValueError)  # fmt: skip
    try:
        _check_size(path.stat().st_size)
        content = path.read_bytes()
        _check_memo(content)
        loaded = _Unpickler(io.BytesIO(content), encoding="latin1").load()
    except damage as error:
        raise RecordingError(f"{path.name}: not a readable pickle ({error})") from None
    return _arrays(loaded, path.name)


def _check_size(size: int) -> None:
    if size > MAX_BYTES:
        raise ValueError(f"{size} bytes, above the {MAX_BYTES} that are read")


def _check_memo(content: bytes) -> None:
    """Refuse places in the memo beyond all that a stream can hold: they cost memory alone."""
    for opcode, argument, _ in pickletools.genops(content):
        if "PUT" in opcode.name and int(argument or 0) > len(content):
            raise ValueError(f"{opcode.name} {argument} in {len(content)} bytes")


def _arrays(loaded: object, name: str) -> dict[str, Floats]:
    if not isinstance(loaded, dict):
        raise RecordingError(f"{name}: holds a {type(loaded).__name__}, expected a dictionary")
    arrays = {}
    for key, value in loaded.items():
        if not isinstance(key, str) or not isinstance(value, _Array) or value.values is None:
            raise RecordingError(f"{name}: {key!r} is not the name of a numeric array")
        arrays[key] = value.values.astype(np.float64, copy=False)
    return arrays


class _DType:
    """Stands for numpy.dtype: of plain real numbers, with a byte order."""

    def __init__(self, code: object, *_: object) -> None:
        if not isinstance(code, str) or not _DTYPE.fullmatch(code):
            raise ValueError(f"dtype {code!r} is not of plain real numbers")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: object) -> None:
        match state:
            case (_, str(order), None, None, None, *_) if order in _ORDERS:
                self.dtype = self.dtype.newbyteorder(order)  # type: ignore[arg-type]
            case _:
                raise ValueError(f"state {state!r} is not that of a plain dtype")


class _Array:
    """Stands for numpy's _reconstruct: an array that has no values until its state is set."""

    values: npt.NDArray[np.generic] | None = None

    def __init__(self, *_: object) -> None:
        """Take the type and shape that numpy would start from; the state says them again."""

    def __setstate__(self, state: object) -> None:
        match state:
            case (_, tuple(shape), _DType(dtype=dtype), bool() | int() as fortran, raw):
                content = raw.encode("latin1") if isinstance(raw, str) else raw
            case _:
                raise ValueError("an array's state is not that of a numeric array")
        if not all(isinstance(n, int) and n >= 0 for n in shape) or not isinstance(content, bytes):
            raise ValueError(f"an array of shape {shape!r} without plain bytes")
        if math.prod(shape) * dtype.itemsize != len(content):
            raise ValueError(f"{len(content)} bytes for shape {shape} of {dtype}")
        flat = np.frombuffer(content, dtype)
        self.values = flat.reshape(shape, order="F" if fortran else "C")


_ALLOWED: dict[tuple[str, str], object] = {
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy", "ndarray"): "numpy.ndarray",  # only ever an argument of _reconstruct
    ("numpy", "dtype"): _DType,
    # Unlike _codecs.encode this knows text encodings only, and no decompression.
    ("_codecs", "encode"): str.encode,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> object:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which is refused") from None
