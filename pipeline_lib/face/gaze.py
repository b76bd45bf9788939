"""Direction of gaze: where the iris lies on the eyeball, which turns with the head.

Axes are OpenFace's camera: x right, y down, z into the picture, so that a look along the camera's
axis is (0, 0, -1). Eye 0 is the one at the left of the image. As in OpenFace, a face beside the
middle of the picture that looks into the camera has a gaze towards the origin, not (0, 0, -1).
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# MediaPipe's indices: outer and inner corner, centre of the iris.
EYES = ((33, 133, 468), (263, 362, 473))
OUTWARD = (-1.0, 1.0)  # where the eye's outer corner lies along x
# MediaPipe names sides as the person does.
BLINKS = ("eyeBlinkRight", "eyeBlinkLeft")

# All in widths of the eye between its corners. The eyeball: 12 mm in a lid opening of 29 mm. Its
# centre, from the middle of the corners: outward, half way from where MediaPipe's eyeLook
# coefficients vanish (0.03, by regression over three persons) to what OpenFace's eyes of one person
# tell (0.08); down, the former; behind, what keeps the gaze of rendered faces still in the head
# while the head turns by up to 30 degrees.
EYEBALL_RADIUS = 12 / 29
REST_OUTWARD = 0.055
REST_DOWN = -0.10
BEHIND = 0.35

AHEAD: Floats = np.array([[0.0, 0.0, -1.0]] * 2)
CLOSED = 0.5  # blink coefficient from which the lids hide the iris

_INDICES = np.array(EYES).T  # (3, 2)
_CENTRES = np.array([[outward * REST_OUTWARD, REST_DOWN, BEHIND] for outward in OUTWARD])
_SINE_LIMIT = 0.9  # the iris does not turn further than some 64 degrees
_LEAST_SHOWN = 0.1  # of the eye's width, in full profile


def in_head(points: Floats, rotation: Floats) -> Floats:
    """Unit vectors (2, 3) of both eyes' gaze in the head's axes.

    points   : (478, n_axes), px; only x and y count, since MediaPipe's depths follow a turning
               head too little
    rotation : (3, 3) of the head
    """
    outer, inner, iris = points[_INDICES, :2]
    # The width as seen from ahead of the head, of which a turned head shows less.
    shown = max(float(np.linalg.norm(rotation[:2, 0])), _LEAST_SHOWN)
    width = np.linalg.norm(outer - inner, axis=1, keepdims=True) / shown
    centre = (_CENTRES @ rotation.T)[:, :2]
    sines = ((iris - (outer + inner) / 2) / width - centre) / EYEBALL_RADIUS
    sines *= _SINE_LIMIT / np.linalg.norm(sines, axis=1, keepdims=True).clip(_SINE_LIMIT)
    ahead = -np.sqrt(1 - (sines**2).sum(axis=1, keepdims=True))
    return np.asarray(np.hstack([sines, ahead]) @ rotation)


def keep_closed(eyes: Floats, blendshapes: Mapping[str, float], *, before: Floats) -> Floats:
    """Directions in the head (2, 3), those of closed eyes as they were before.

    Under a closed lid MediaPipe's iris lies anywhere. A blink is too short for a new direction;
    eyes that stay closed keep the old one, and AU45 tells that they are.

    before : of the frame before; AHEAD if there is none
    """
    closed = [blendshapes[name] >= CLOSED for name in BLINKS]
    return np.where(np.array(closed)[:, None], before, eyes)


def angles(directions: Floats) -> Floats:
    """OpenFace's gaze_angle_x and gaze_angle_y in rad, of the mean of both eyes (2, 3)."""
    x, y, z = directions.mean(axis=0)
    return np.array([np.arctan2(x, -z), np.arctan2(y, -z)])
