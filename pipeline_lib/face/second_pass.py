"""Action units of a video, which need all of it: rows wait on disk until the last is measured.

Only what the units are made of stays in memory, 144 bytes a frame: 8 MB for half an hour at 30
frames/s, and some 60 MB more while it is scored.
"""

import tempfile
from array import array
from collections.abc import Iterable, Iterator, Mapping
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from pipeline_lib.core.schema import AU_INTENSITIES, AU_PRESENCES
from pipeline_lib.face.action_units import COEFFICIENTS, N_SOURCES, UNITS, measures
from pipeline_lib.face.landmarker import Face
from pipeline_lib.face.neutral import score
from pipeline_lib.face.openface_csv import KEYS, WRITTEN

Row = Mapping[str, float]
Floats = npt.NDArray[np.float64]

BATCH = 256  # faces measured at once, which takes a fifth of the time that one by one does

_COLUMNS = [*KEYS, *(name for group in WRITTEN if group != "-aus" for name in WRITTEN[group])]
_ROW_BYTES = 8 * len(_COLUMNS)
_UNITS = list(UNITS)
_WITH_INTENSITY = [_UNITS.index(name[2:4]) for name in AU_INTENSITIES]  # 28 has a presence only
_WITH_PRESENCE = [_UNITS.index(name[2:4]) for name in AU_PRESENCES]


class Recording:
    """The measures of a video's faces, frame after frame."""

    def __init__(self) -> None:
        self._measures = array("f")
        self._times = array("d")
        self._points: list[Floats] = []
        self._coefficients: list[list[float]] = []

    def add(self, face: Face, *, time: float) -> None:
        """time : s"""
        self._times.append(time)
        self._points.append(face.points)
        self._coefficients.append([face.blendshapes[name] for name in COEFFICIENTS])
        if len(self._points) == BATCH:
            self._measure()

    def scores(self) -> Iterator[dict[str, float]]:
        """The columns of action units of one frame with a face after the other."""
        if not self._times:
            return
        self._measure()
        shape = (len(self._times), len(UNITS), N_SOURCES)
        measured = np.frombuffer(self._measures, dtype=np.float32).reshape(shape)
        intensities, presences = score(measured, np.frombuffer(self._times))
        for intensity, presence in zip(intensities, presences, strict=True):
            values = (*intensity[_WITH_INTENSITY].tolist(), *presence[_WITH_PRESENCE].tolist())
            yield dict(zip((*AU_INTENSITIES, *AU_PRESENCES), values, strict=True))

    def _measure(self) -> None:
        if self._points:
            batch = measures(np.stack(self._points), np.array(self._coefficients))
            self._measures.frombytes(batch.tobytes())
        self._points, self._coefficients = [], []


def with_action_units(frames: Iterable[tuple[Row, Face | None]]) -> Iterator[dict[str, float]]:
    """Yield the rows of a video in their order, those with a face completed by its action units.

    frames : each frame's row, with "timestamp" in s, and its face, None if there is none
    """
    recording = Recording()
    has_face: list[bool] = []
    with tempfile.TemporaryFile() as waiting:
        for row, face in frames:
            waiting.write(_packed(row))
            has_face.append(face is not None)
            if face is not None:
                recording.add(face, time=row["timestamp"])
        waiting.seek(0)
        scores = recording.scores()
        for row, scored in zip(_unpacked(waiting), has_face, strict=True):
            yield {**row, **next(scores)} if scored else {**row}


def _packed(row: Row) -> bytes:
    return array("d", [row.get(name, np.nan) for name in _COLUMNS]).tobytes()


def _unpacked(file: BinaryIO) -> Iterator[dict[str, float]]:
    """Rows as they were packed; what a row did not have, it still has not."""
    while packed := file.read(_ROW_BYTES):
        values = zip(_COLUMNS, array("d", packed), strict=True)
        yield {name: value for name, value in values if value == value}  # NaN is not itself
