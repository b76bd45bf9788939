"""OpenFace's 28 landmarks of each eye, out of MediaPipe's 478: ring of the iris, lids, pupil.

The eye at the left of the image comes first, with indices 0 to 27, then the other with 28 to 55.
In each, with "left" as in the image:

    0-7    ring of the iris: its left, over the top to its right, and back below
    8-19   edge of the lids: the left corner (8), the upper lid, the right corner (14), the lower
    20-27  ring of the pupil, the other way round: its lower left, bottom, ... upper left, left

MediaPipe does not see pupils. Theirs (20-27 and 48-55) is the ring of the iris made smaller, by
the same share in all faces, and says nothing that the iris does not.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

N_LANDMARKS = 56

# MediaPipe's indices. The lids go from the left corner to the right one, upper and lower.
_LIDS = np.array(
    [
        (33, 246, 161, 160, 159, 158, 157, 173, 133),
        (33, 7, 163, 144, 145, 153, 154, 155, 133),
        (362, 398, 384, 385, 386, 387, 388, 466, 263),
        (362, 382, 381, 380, 374, 373, 390, 249, 263),
    ]
)
_IRISES = np.array([(469, 470, 471, 472), (474, 475, 476, 477)])  # right, top, left, bottom

_STEPS = np.linspace(0, 1, 7)  # along a lid, corners included

PUPIL = 0.44  # of the iris: mean of both eyes in OpenFace's output for one clip of 72 frames


def _ellipse(turns: Floats, *, size: float) -> Floats:
    """Weights (n, 4) of the four points of an iris that give points on an ellipse.

    turns : (n,), of a circle, from its left over the top
    """
    left, top = size / 2 * np.cos(2 * np.pi * turns), size / 2 * np.sin(2 * np.pi * turns)
    return 1 / 4 + np.stack([-left, top, left, -top], axis=1)


_TURNS = np.arange(8) / 8
_RING = _ellipse(_TURNS, size=1.0)
_PUPIL_RING = _ellipse(_TURNS[::-1], size=PUPIL)


def eye_landmarks(points: Floats) -> Floats:
    """The landmarks (56, n_axes) of both eyes, in OpenFace's order.

    points : (478, n_axes), px on all axes
    """
    lids = _resampled(points[_LIDS])
    edges = np.stack([lids[::2], lids[1::2, ::-1]], axis=1)[:, :, :-1]  # (2, 2, 6, n_axes)
    irises = points[_IRISES]
    parts = [_RING @ irises, edges.reshape(2, 12, -1), _PUPIL_RING @ irises]
    return np.concatenate(parts, axis=1).reshape(N_LANDMARKS, -1)


def _resampled(lines: Floats) -> Floats:
    """Points (n_lines, 7, n_axes) at equal distances along lines (n_lines, n, n_axes)."""
    steps = np.linalg.norm(np.diff(lines, axis=1), axis=2)
    along = np.cumsum(steps, axis=1)
    wanted = _STEPS * along[:, -1:]
    index = (along[:, None, :-1] < wanted[:, :, None]).sum(axis=2)  # of the step it lies in
    line = np.arange(len(lines))[:, None]
    left = (along[line, index] - wanted) / np.maximum(steps[line, index], np.finfo(float).tiny)
    before, after = lines[line, index], lines[line, index + 1]
    return np.asarray(after - left[..., None] * (after - before))
