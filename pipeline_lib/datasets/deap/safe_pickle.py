"""Read a pickled dictionary of numeric arrays without running anything that it names.

A pickle is a program. This one may name four functions of NumPy's own pickles and nothing
else, and even those stand for the small classes below, which check every argument: NumPy's
own would believe a dtype's flags and take bytes for pointers. It has to be a short program, too:
a hundred bytes can ask for more memory, or for more time, than there is.
"""

import math
import pickle
import pickletools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from pipeline_lib.recordings import RecordingError

Floats = npt.NDArray[np.float64]

MAX_BYTES = 2**28  # 2.6 times the numbers of a DEAP file, which have to fit in memory
MAX_FILE = 2**29  # protocol 0 of Python 2 takes up to four characters for a byte
MAX_OPCODES = 1000  # ten times those of a DEAP file
MAX_TUPLES = 24  # twice those of a DEAP file; hashing n in each other can take 2**n steps
_DTYPE = re.compile("f[248]|[iu][1248]")
_OPCODES = {opcode.code: opcode for opcode in pickletools.opcodes}
_ORDERS = ("<", ">", "=", "|")


def load_arrays(path: Path) -> dict[str, Floats]:
    """Return the arrays of a pickled {name: numeric array}, as float64.

    Reads what Python 2 and 3 write with protocols 0 to 4; protocol 5 names another function.
    Raises RecordingError, naming the file and what is refused, for anything else: other names,
    other types, a damaged stream.
    """
    # The unpickler has no common base for what a hostile or damaged stream makes it raise.
    damage = (pickle.UnpicklingError, ArithmeticError, AttributeError, EOFError, LookupError,
              MemoryError, OSError, RecursionError, TypeError, ValueError)  # fmt: skip
    try:
        size = path.stat().st_size
        if size > MAX_FILE:
            raise ValueError(f"{size} bytes, above the {MAX_FILE} that are read")
        with path.open("rb") as file:
            _check_program(file, size)
            file.seek(0)
            loaded = _Unpickler(file).load()
    except damage as error:
        raise RecordingError(f"{path.name}: not a readable pickle ({error})") from None
    return _arrays(loaded, path.name)


def _check_program(file: BinaryIO, size: int) -> None:
    """Refuse many opcodes, and places in the memo beyond all that a stream can hold."""
    n_tuples = 0
    for i, (opcode, argument) in enumerate(_opcodes(file)):
        n_tuples += "TUPLE" in opcode.name
        if i >= MAX_OPCODES or n_tuples > MAX_TUPLES:
            raise ValueError(f"more than {MAX_OPCODES} opcodes or {MAX_TUPLES} tuples")
        if "PUT" in opcode.name and int(argument or 0) > size:
            raise ValueError(f"{opcode.name} {argument} in {size} bytes")


def _opcodes(file: BinaryIO) -> Iterator[tuple[pickletools.OpcodeInfo, Any]]:
    """pickletools.genops, which takes the text of protocol 0 for ASCII: Python 2's are bytes."""
    while True:
        code = file.read(1)
        opcode = _OPCODES.get(code.decode("latin1"))
        if opcode is None:
            raise ValueError(f"opcode {code!r}" if code else "it ends early")
        if opcode.name == "STRING":
            yield opcode, file.readline()
        else:
            yield opcode, opcode.arg.reader(file) if opcode.arg else None
        if opcode.name == "STOP":
            return


def _arrays(loaded: object, name: str) -> dict[str, Floats]:
    if not isinstance(loaded, dict):
        raise RecordingError(f"{name}: holds a {type(loaded).__name__}, expected a dictionary")
    found = {}
    for key, value in loaded.items():
        label = _text(key)[:40] if isinstance(key, str | bytes) else type(key).__name__
        is_array = isinstance(value, _Array) and value.values is not None
        if not isinstance(key, str | bytes) or not is_array:
            raise RecordingError(f"{name}: {label!r} is not the name of a numeric array")
        found[_text(key)] = value.values
    # Small types grow, and several names may share an array.
    n_bytes = sum(array.size for array in found.values()) * np.dtype(np.float64).itemsize
    if n_bytes > MAX_BYTES:
        raise RecordingError(f"{name}: {n_bytes} bytes of numbers, above {MAX_BYTES}")
    return {key: array.astype(np.float64, copy=False) for key, array in found.items()}


def _text(value: object) -> str:
    """Text, which is bytes when Python 2 wrote it."""
    if isinstance(value, bytes):
        return value.decode("latin1")
    if not isinstance(value, str):
        raise ValueError(f"a {type(value).__name__} where text is expected")
    return value


class _DType:
    """Stands for numpy.dtype: of plain real numbers, with a byte order."""

    def __init__(self, code: object, *_: object) -> None:
        if not _DTYPE.fullmatch(_text(code)):
            raise ValueError(f"dtype {_text(code)[:20]!r} is not of plain real numbers")
        self.dtype = np.dtype(_text(code))

    def __setstate__(self, state: object) -> None:
        match state:
            case (_, order, None, None, None, *_) if _text(order) in _ORDERS:
                self.dtype = self.dtype.newbyteorder(_text(order))  # type: ignore[arg-type]
            case _:
                raise ValueError("a dtype's state is not that of a plain dtype")


class _Array:
    """Stands for numpy's _reconstruct: an array that has no values until its state is set."""

    values: npt.NDArray[np.generic] | None = None

    def __init__(self, *_: object) -> None:
        """Take the type and shape that numpy would start from; the state says them again."""

    def __setstate__(self, state: object) -> None:
        match state:
            case (_, tuple(shape), _DType(dtype=dtype), bool() | int() as fortran, bytes(content)):
                pass
            case _:
                raise ValueError("an array's state is not that of a numeric array")
        if not all(isinstance(n, int) and 0 <= n <= len(content) for n in shape):
            raise ValueError(f"an array whose shape does not fit its {len(content)} bytes")
        if math.prod(shape) * dtype.itemsize != len(content):
            raise ValueError(f"{len(content)} bytes for shape {shape} of {dtype}")
        flat = np.frombuffer(content, dtype)
        self.values = flat.reshape(shape, order="F" if fortran else "C")


class _Encoder:
    """Stands for _codecs.encode: Python 3 writes bytes as text of latin1 for protocols 0 to 2."""

    def __init__(self) -> None:
        self._n_bytes = 0

    def __call__(self, text: object, encoding: object) -> bytes:
        if _text(encoding) != "latin1":
            raise ValueError(f"an encoding {_text(encoding)[:20]!r}")
        self._n_bytes += len(_text(text))
        if self._n_bytes > MAX_BYTES:  # the same text can be encoded over and over
            raise ValueError(f"more than {MAX_BYTES} bytes of text")
        return _text(text).encode("latin1")

    def __setstate__(self, state: object) -> None:
        raise ValueError("a function with a state")


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: BinaryIO) -> None:
        # As bytes, the arrays that Python 2 wrote are not decoded, to be encoded again.
        super().__init__(file, encoding="bytes")
        self._allowed: dict[tuple[str, str], object] = {
            ("numpy.core.multiarray", "_reconstruct"): _Array,
            ("numpy._core.multiarray", "_reconstruct"): _Array,
            ("numpy", "ndarray"): "numpy.ndarray",  # only ever an argument of _reconstruct
            ("numpy", "dtype"): _DType,
            ("_codecs", "encode"): _Encoder(),
        }

    def find_class(self, module: str, name: str) -> object:
        try:
            return self._allowed[module, name]
        except KeyError:
            refused = f"{module}.{name}"[:80]
            raise pickle.UnpicklingError(f"it names {refused}, which is refused") from None
