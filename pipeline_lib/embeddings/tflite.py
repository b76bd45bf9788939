"""The weights of a TensorFlow Lite file, without TensorFlow: a FlatBuffer of known layout.

Field numbers are those of TensorFlow's `lite/schema/schema.fbs`.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Floats32 = npt.NDArray[np.float32]

_MODEL_SUBGRAPHS, _MODEL_BUFFERS = 2, 4
_GRAPH_TENSORS, _GRAPH_OPERATORS = 0, 3
_TENSOR_SHAPE, _TENSOR_TYPE, _TENSOR_BUFFER, _TENSOR_QUANTIZATION = 0, 1, 2, 4
_OPERATOR_INPUTS = 1
_SCALES = 2
_TYPES: dict[int, np.dtype[Any]] = {0: np.dtype("<f4"), 9: np.dtype("i1")}


@dataclass(frozen=True)
class _Table:
    content: bytes
    start: int

    def field(self, number: int) -> int | None:
        """Where a field lies; None: it is not there."""
        (back,) = struct.unpack_from("<i", self.content, self.start)
        index = self.start - back
        (size,) = struct.unpack_from("<H", self.content, index)
        if 4 + 2 * number >= size:
            return None
        (offset,) = struct.unpack_from("<H", self.content, index + 4 + 2 * number)
        return self.start + offset if offset else None

    def follow(self, place: int) -> "_Table":
        return _Table(self.content, place + struct.unpack_from("<I", self.content, place)[0])

    def table(self, number: int) -> "_Table | None":
        place = self.field(number)
        return None if place is None else self.follow(place)

    def array(self, number: int, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        vector = self.table(number)
        if vector is None:
            return np.zeros(0, dtype)
        (count,) = struct.unpack_from("<I", self.content, vector.start)
        return np.frombuffer(self.content, dtype, count, vector.start + 4)

    def tables(self, number: int) -> "list[_Table]":
        vector = self.table(number)
        if vector is None:
            return []
        (count,) = struct.unpack_from("<I", self.content, vector.start)
        return [self.follow(vector.start + 4 + 4 * i) for i in range(count)]

    def number(self, number: int, code: str) -> int:
        place = self.field(number)
        return 0 if place is None else int(struct.unpack_from(code, self.content, place)[0])


def read_convolutions(path: Path) -> list[tuple[Floats32, Floats32]]:
    """Weights and biases of all convolutions, in the order in which they are computed.

    weights (n_out, height, width, n_in), of a depthwise one (1, height, width, n_channels); what
    is stored in 8 bits is scaled back. Raises ValueError if the file is no TensorFlow Lite model.
    """
    content = path.read_bytes()
    if content[4:8] != b"TFL3":
        raise ValueError(f"{path}: not a TensorFlow Lite model")
    model = _Table(content, 0).follow(0)
    (graph,) = model.tables(_MODEL_SUBGRAPHS)
    tensors, buffers = graph.tables(_GRAPH_TENSORS), model.tables(_MODEL_BUFFERS)
    inputs = [o.array(_OPERATOR_INPUTS, "<i4").tolist() for o in graph.tables(_GRAPH_OPERATORS)]
    # Of the operators only convolutions have three inputs: what comes in, weights and bias.
    return [
        (_values(tensors[weights], buffers), _values(tensors[bias], buffers))
        for _, weights, bias in (places for places in inputs if len(places) == 3)
    ]


def _values(tensor: _Table, buffers: list[_Table]) -> Floats32:
    dtype: np.dtype[Any] = _TYPES[tensor.number(_TENSOR_TYPE, "<b")]
    buffer = buffers[tensor.number(_TENSOR_BUFFER, "<I")]
    shape = tensor.array(_TENSOR_SHAPE, "<i4").tolist()
    values = np.frombuffer(buffer.array(0, "u1").tobytes(), dtype).reshape(shape).astype(np.float32)
    quantization = tensor.table(_TENSOR_QUANTIZATION)
    scales = np.zeros(0, "f4") if quantization is None else quantization.array(_SCALES, "<f4")
    if not scales.size:
        return np.asarray(values, np.float32)
    # One scale a channel: of the outputs, or of a depthwise convolution's channels, which are last.
    along = (1, 1, 1, -1) if shape[0] == 1 else (-1, 1, 1, 1)
    return np.asarray(values * scales.reshape(along), np.float32)
