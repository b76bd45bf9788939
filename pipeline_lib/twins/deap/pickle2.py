"""Pickle arrays as NumPy did under Python 2, in which DEAP was published.

Python 3 writes other opcodes (text and bytes apart) and other module names.
"""

import struct
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

_PROTOCOL_2 = b"\x80\x02"
_STOP = b"."


def dumps(arrays: Mapping[str, npt.NDArray[np.float64]]) -> bytes:
    """A {str: float64 array} dictionary as a Python-2 stream of protocol 2."""
    items = b"".join(_string(name.encode("ascii")) + _array(a) for name, a in arrays.items())
    return _PROTOCOL_2 + b"}(" + items + b"u" + _STOP


def _array(array: npt.NDArray[np.float64]) -> bytes:
    """_reconstruct(ndarray, (0,), "b"), then its state: version, shape, dtype, order, bytes."""
    empty = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btR"
    shape = b"(" + b"".join(_integer(n) for n in array.shape) + b"t"
    content = np.ascontiguousarray(array, dtype="<f8").tobytes()
    return empty + b"(K\x01" + shape + _FLOAT64 + b"\x89" + _string(content) + b"tb"


# dtype("f8", 0, 1), then its state: version, byte order, no fields, no sizes, no flags.
_FLOAT64 = (
    b"cnumpy\ndtype\n(U\x02f8K\x00K\x01tR(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
)


def _integer(number: int) -> bytes:
    return b"J" + struct.pack("<i", number)


def _string(text: bytes) -> bytes:
    """Python 2's str: text and bytes alike."""
    if len(text) < 256:
        return b"U" + struct.pack("<B", len(text)) + text
    return b"T" + struct.pack("<i", len(text)) + text
