"""Where faces are in a picture, how far they can get, and whether the picture is a new one."""

from collections.abc import Sequence

import numpy as np

from pipeline_lib.face.detector import Box, Picture

# How far a face can have got, in its own sizes: at once, and for each second that it was away.
REACH, SPEED = 0.75, 2.0
GROWTH = 1.5  # factor by which its size can have changed at once; for each second once more

_THUMBNAIL = 24  # px from one sample to the next
_CUT = 0.8  # share of samples that change in a cut
_CUT_LEVELS = 20  # of 255, by which they change


def distance(box: Box, from_: Box) -> float:
    """Between their middles, in sizes of the second."""
    return float(np.hypot(box.x - from_.x, box.y - from_.y) / from_.size)


def is_reachable(box: Box, from_: Box, seconds: float) -> bool:
    """Whether a face can have got from one place to the other in the time."""
    growth = GROWTH * (1 + seconds)
    return (
        distance(box, from_) < REACH + SPEED * seconds
        and 1 / growth < box.size / from_.size < growth
    )


def without(picture: Picture, chosen: Box, boxes: Sequence[Box]) -> Picture:
    """The picture with all faces but one blacked out; itself if there is only one."""
    if len(boxes) == 1:
        return picture
    blacked = picture.copy()
    for box in boxes:
        if box is not chosen:
            blacked[_area(box)] = 0
    blacked[_area(chosen)] = picture[_area(chosen)]
    return blacked


def _area(box: Box) -> tuple[slice, slice]:
    half = 0.75 * box.size  # forehead and chin lie outside the detector's box
    low_x, low_y = max(box.x - half, 0), max(box.y - half, 0)
    return slice(int(low_y), int(box.y + half)), slice(int(low_x), int(box.x + half))


def thumbnail(picture: Picture) -> Picture:
    """A few samples of green, to compare pictures by."""
    return picture[::_THUMBNAIL, ::_THUMBNAIL, 1].copy()


def is_cut(before: Picture, now: Picture) -> bool:
    """Whether another picture has begun, rather than somebody moved in the same."""
    if before.shape != now.shape:
        return True
    changes = np.abs(now.astype(np.int16) - before) > _CUT_LEVELS
    return bool(changes.mean() > _CUT)
