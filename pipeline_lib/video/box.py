"""The square around the face: measured in each frame, then made steady over time."""

from collections.abc import Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.interpolate import make_smoothing_spline
from scipy.ndimage import median_filter

from pipeline_lib.core.schema import LANDMARKS
from pipeline_lib.recordings import RecordingError
from pipeline_lib.video.clips import nearest

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MAX_GAP = 1.0  # s without a face that the box crosses; a hand before the face is gone sooner
OUTLIER_WINDOW = 1.0  # s of the running median that a frame is held against
OUTLIER = 0.25  # of the face, off that median: a detection elsewhere
CUT = 0.5  # of the face, from frame to frame: faster than heads move, so another shot

_X = [name for name in LANDMARKS if name.startswith("x_")]
_Y = [name for name in LANDMARKS if name.startswith("y_")]
_EYES = (slice(36, 42), slice(42, 48))  # iBUG's points of the eye at the left of the picture, right
_FEWEST = 5  # points that a smoothing spline needs
_SHORTEST_STEP = 1e-3  # s; frames with the time of the one before it come in real files


def face_boxes(rows: pl.DataFrame, *, align: Literal["none", "roll"]) -> Floats:
    """Square around the 68 landmarks in each frame: (n_frames, 4), NaN without a face.

    rows    : schema.OPENFACE of one recording
    align   : roll turns the square so that the eyes lie level in it
    returns : centre x, centre y, edge in px; roll in rad, clockwise in the picture, 0 for none
    """
    x = rows.select(_X).to_numpy().astype(np.float64)
    y = rows.select(_Y).to_numpy().astype(np.float64)
    roll = _roll(x, y) if align == "roll" else np.where(np.isnan(x[:, 0]), np.nan, 0.0)
    cosine, sine = np.cos(roll), np.sin(roll)
    across = x * cosine[:, None] + y * sine[:, None]
    down = y * cosine[:, None] - x * sine[:, None]
    left, right, top, bottom = across.min(1), across.max(1), down.min(1), down.max(1)
    middle, height = (left + right) / 2, (top + bottom) / 2
    centre_x, centre_y = middle * cosine - height * sine, middle * sine + height * cosine
    edge = np.maximum(right - left, bottom - top)
    boxes = np.stack([centre_x, centre_y, edge, roll], axis=1)
    boxes[~rows["success"].to_numpy()] = np.nan
    return boxes


def steady(boxes: Floats, times: Floats, *, smoothing: float) -> Floats:
    """Boxes of all frames, without what trembles: (n_frames, 4), no NaN.

    boxes     : (n_frames, 4) of face_boxes
    times     : (n_frames,) s, rising; their steps may differ
    smoothing : s; the box takes up half of a movement of this period, less of a faster one

    A cubic smoothing spline (Reinsch 1967), which neither lags nor depends on the frame rate,
    runs through each shot. Without a face the box goes straight from the face before to the
    face after if they are at most MAX_GAP apart; else it stays where the face nearest in time
    is. Raises RecordingError if no frame has a face.
    """
    seen = np.flatnonzero(~np.isnan(boxes[:, 0]))
    if not seen.size:
        raise RecordingError("no frame has a face")
    rising = np.concatenate([[0.0], np.cumsum(np.maximum(np.diff(times), _SHORTEST_STEP))])
    steadied = np.full_like(boxes, np.nan)
    for shot in _shots(boxes, seen, rising):
        span = np.arange(shot[0], shot[-1] + 1)
        straight = [np.interp(rising[span], rising[shot], values) for values in boxes[shot].T]
        steadied[span] = _spline(np.stack(straight, axis=1), rising[span], smoothing=smoothing)
    known = np.flatnonzero(~np.isnan(steadied[:, 0]))
    return np.asarray(steadied[known[nearest(rising[known], rising)]])


def gaps(seen: npt.NDArray[np.bool_], times: Floats) -> Floats:
    """Time in s from each frame to the nearest with a face, 0 in those that have one.

    seen, times : (n_frames,); at least one frame is seen
    """
    with_face = times[seen]
    return np.asarray(np.abs(with_face[nearest(with_face, times)] - times))


def _roll(x: Floats, y: Floats) -> Floats:
    left, right = _EYES
    along = x[:, right].mean(1) - x[:, left].mean(1)
    return np.asarray(np.arctan2(y[:, right].mean(1) - y[:, left].mean(1), along))


def _shots(boxes: Floats, seen: Ints, times: Floats) -> Iterator[Ints]:
    """Yield the frames with a face that belong together, outliers left out.

    They are parted by long gaps and by cuts; a part of outliers only yields all of itself.
    """
    width = (
        2 * round(OUTLIER_WINDOW / float(np.median(np.diff(times))) / 2) + 1
        if len(times) > 1
        else 1
    )
    for part in np.split(seen, np.flatnonzero(np.diff(times[seen]) > MAX_GAP) + 1):
        medians = median_filter(boxes[part, :3], size=(width, 1), mode="reflect")
        edges = medians[:, 2]
        jumps = np.abs(np.diff(medians, axis=0)).max(1) > CUT * edges[1:]
        is_off = np.abs(boxes[part, :3] - medians).max(1) > OUTLIER * edges
        at = np.flatnonzero(jumps) + 1
        for shot, off in zip(np.split(part, at), np.split(is_off, at), strict=True):
            yield shot if off.all() else shot[~off]


def _spline(boxes: Floats, times: Floats, *, smoothing: float) -> Floats:
    """Smooth (n, 4) boxes without gaps; of a few frames, their median."""
    if len(boxes) < _FEWEST:
        return np.broadcast_to(np.median(boxes, axis=0), boxes.shape)
    boxes = np.column_stack([boxes[:, :3], np.unwrap(boxes[:, 3])])
    # Gain of a movement of angular frequency w: 1 / (1 + lam w^4 step), a half at `smoothing`.
    lam = (smoothing / (2 * np.pi)) ** 4 / float(np.mean(np.diff(times)))
    return np.asarray(make_smoothing_spline(times, boxes, lam=lam)(times))
