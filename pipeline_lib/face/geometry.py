"""Measures of a face's shape, taken in the head's own frame and in face sizes.

The head's motion is taken out by the landmarks that no expression moves: the corners of the eyes
and the ridge of the nose. They are laid on MediaPipe's canonical face, so that what is left is
upright, seen from the front and of one size, in cm of that face (4.45 cm from the nose to the outer
corner of an eye). MediaPipe's own transformation matrix will not do: it is of a face seen in
perspective, while the landmarks are a face seen from straight ahead. On a face beside the middle
of the picture the two are up to 10 degrees apart.

A measure is a linear form on the landmarks: so many cm along an axis of the head.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

N_LANDMARKS = 478

# MediaPipe's index and place on its canonical face model (Apache-2.0; in face_landmarker.task):
# cm, x right in the image, y down, z into the picture.
RIGID = {
    33: (-4.446, -2.664, -3.173),  # corners of the eyes
    133: (-1.856, -2.585, -3.758),
    362: (1.856, -2.585, -3.758),
    263: (4.446, -2.664, -3.173),
    168: (0.0, -3.271, -5.236),  # ridge of the nose, from its root to its base
    6: (0.0, -2.473, -5.789),
    197: (0.0, -1.728, -6.317),
    195: (0.0, -1.059, -6.775),
    5: (0.0, -0.365, -7.243),
    4: (0.0, 0.463, -7.587),
    2: (0.0, 2.089, -6.058),
}
_RIGID_INDICES = list(RIGID)
_CANONICAL = np.array(list(RIGID.values()))
_CENTRE = _CANONICAL.mean(axis=0)
_CENTRED = _CANONICAL - _CENTRE

_X, _Y, _Z = range(3)


def in_head_frame(points: Floats, landmarks: Sequence[int]) -> Floats:
    """Some landmarks at the canonical face's place, turn and size: (n, n_landmarks, 3), cm.

    The similarity that brings RIGID nearest to the canonical face, frame by frame (Umeyama 1991).

    points    : (n, 478, 3), px on all axes: x right, y down, z into the picture
    landmarks : indices of those to return
    """
    rigid = points[:, _RIGID_INDICES]
    centre = rigid.mean(axis=1, keepdims=True)
    u, strengths, vt = np.linalg.svd((rigid - centre).transpose(0, 2, 1) @ _CENTRED)
    # Flat or noisy landmarks must not be fitted by a mirror image.
    sense = np.sign(np.linalg.det(u @ vt))
    u[:, :, -1] *= sense[:, None]
    strengths[:, -1] *= sense
    size = strengths.sum(axis=1) / np.square(_CENTRED).sum()  # px per cm
    turn = (u @ vt) / size[:, None, None]
    upright: Floats = (points[:, landmarks] - centre) @ turn + _CENTRE
    return upright


def height(of: Sequence[int], *, over: Sequence[int]) -> Floats:
    """The form (478, 3) that tells how far the middle of some landmarks lies above others."""
    return _form(over, _Y) - _form(of, _Y)


def width(left: Sequence[int], right: Sequence[int]) -> Floats:
    """The form (478, 3) of how far landmarks lie apart, left and right as in the image."""
    return _form(right, _X) - _form(left, _X)


def depth(of: Sequence[int], *, behind: Sequence[int]) -> Floats:
    """The form (478, 3) of how far some landmarks lie behind others."""
    return _form(of, _Z) - _form(behind, _Z)


def _form(landmarks: Sequence[int], axis: int) -> Floats:
    """Mean coordinate of some landmarks."""
    form = np.zeros((N_LANDMARKS, 3))
    form[list(landmarks), axis] = 1 / len(landmarks)
    return form
