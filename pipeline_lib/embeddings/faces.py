"""What OpenFace measured at the sampled frames: whose face, and where in the picture."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline_lib.core import tables
from pipeline_lib.core.schema import LANDMARKS, OPENFACE
from pipeline_lib.video.clips import nearest

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MAX_GAP = 0.5  # s from a sampled frame to the nearest measured one, beyond which it is another time


def measured(openface: Path, recording: dict[str, Any]) -> pl.DataFrame:
    """The recording's rows of schema.OPENFACE, by time; none if extraction gave none."""
    rows = tables.read_recording(
        openface, OPENFACE, subject=recording["subject"], recording_id=recording["recording_id"]
    )
    return rows.sort("time")


def nearest_measured(measured_times: Floats, times: Floats) -> Ints:
    """(n,) place of the measured time nearest to each time, both in s; -1: none within MAX_GAP."""
    if not measured_times.size:
        return np.full(times.shape, -1)
    places = nearest(measured_times, times)
    return np.where(np.abs(measured_times[places] - times) <= MAX_GAP, places, -1)


def boxes(rows: pl.DataFrame) -> Floats:
    """(n_rows, 4) left, top, right, bottom of the landmarks, px; NaN where no face was found."""
    columns = [pl.col(name).cast(pl.Float64).fill_null(np.nan) for name in LANDMARKS]
    x, y = np.split(rows.select(columns).to_numpy(), 2, axis=1)
    found = np.stack([x.min(1), y.min(1), x.max(1), y.max(1)], axis=1)
    found[~rows["success"].to_numpy()] = np.nan
    return found


def locator(rows: pl.DataFrame | None) -> Callable[[float], Floats | None]:
    """The box of the measured frame nearest to a time in s, None where it has no face.

    rows : schema.OPENFACE of one video; None: no faces are looked for
    """
    if rows is None:
        return lambda time: None
    found, times = boxes(rows), rows["time"].to_numpy()

    def box_at(time: float) -> Floats | None:
        place = int(nearest_measured(times, np.array([time]))[0])
        return None if place < 0 or np.isnan(found[place]).any() else found[place]

    return box_at
