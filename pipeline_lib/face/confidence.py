"""Confidence in a face: would each of its halves, with its own mirror image, be seen as a face?

MediaPipe finds a face behind a bar, a hand or the edge of the picture and makes up what it does
not see; the score by which it decides is not in its result. So each half of the picture of the
face is made whole by its mirror image, and MediaPipe's face detector scores both. The worse
score is the confidence: it falls as one half is covered, turned away, dark, blurred or cut off.
"""

import numpy as np
import numpy.typing as npt

from pipeline_lib.face.detector import DetectAll, Picture

Floats = npt.NDArray[np.float64]

SUCCESS_ABOVE = 0.7  # OpenFace's own threshold

_FOREHEAD, _CHIN = 10, 152  # MediaPipe's indices
_MIDLINE = (10, 168, 6, 152)
_SIDE = 128  # px of each mirrored picture
_MARGIN = 1.3  # what it shows, in heights of the face between forehead and chin
_GLIMPSE = 12  # values along each side of the small picture
_BLUR = 2  # samples along each side of one such value


def score(picture: Picture, points: Floats, detect_all: DetectAll) -> float:
    """Detector's score of the half-face that looks less like one, 0-1.

    points : (478, n_axes), px
    """
    boxes = detect_all(mirrored_halves(picture, points))
    return min(
        max((box.score for box in boxes if (box.x < _SIDE) == left), default=0.0)
        for left in (True, False)
    )


def share_inside(points: Floats, *, width: int, height: int) -> float:
    """Share of the landmarks (n, n_axes), px, that lie in the picture."""
    x, y = points[:, 0], points[:, 1]
    if x.min() >= 0 and x.max() < width and y.min() >= 0 and y.max() < height:
        return 1.0  # nearly always, and thrice as fast
    return float(np.mean((x >= 0) & (x < width) & (y >= 0) & (y < height)))


def mirrored_halves(picture: Picture, points: Floats) -> Picture:
    """Picture (128, 256, 3) of two faces: the left half and its mirror image, and the right."""
    whole = _upright(picture, points, n=_SIDE)
    left, right = whole[:, : _SIDE // 2], whole[:, _SIDE // 2 :]
    return np.hstack([left, left[:, ::-1], right[:, ::-1], right])


def glimpse(picture: Picture, points: Floats) -> Floats:
    """The face's green (12, 12), blurred, to tell cheaply whether it looks different."""
    green = _upright(picture, points, n=_GLIMPSE * _BLUR)[..., 1]
    blocks = green.astype(np.float64).reshape(_GLIMPSE, _BLUR, _GLIMPSE, _BLUR)
    return np.asarray(blocks.mean(axis=(1, 3)))


def change(before: Floats, now: Floats) -> float:
    """Mean difference of two glimpses, in units of the contrast of the first."""
    contrast = np.abs(before - before.mean()).mean()
    return float(np.abs(now - before).mean() / max(contrast, 1.0))


def _upright(picture: Picture, points: Floats, *, n: int) -> Picture:
    """Sample (n, n, 3) of the face, its midline in the middle and down; black out of picture."""
    down = points[_CHIN, :2] - points[_FOREHEAD, :2]
    right = np.array([down[1], -down[0]])
    steps = _MARGIN * ((np.arange(n) + 0.5) / n - 0.5)
    middle = points[list(_MIDLINE), :2].mean(axis=0)
    x, y = (
        np.floor(middle[axis] + steps[:, None] * down[axis] + steps * right[axis]).astype(int)
        for axis in (0, 1)
    )
    height, width, _ = picture.shape
    outside = (x < 0) | (x >= width) | (y < 0) | (y >= height)
    flat = np.where(outside, 0, y * width + x)
    sampled: Picture = picture.reshape(-1, 3).take(flat, axis=0)
    sampled[outside] = 0
    return sampled
