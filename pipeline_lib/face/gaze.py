"""Direction of gaze: how the iris lies in the eye, turned with the head.

Axes are OpenFace's camera: x right, y down, z into the picture, so that a look into the camera
is (0, 0, -1). Eye 0 is the one at the left of the image.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# MediaPipe's indices: outer and inner corner, centre of the iris.
EYES = ((33, 133, 468), (263, 362, 473))
OUTWARD = (-1.0, 1.0)  # where the eye's outer corner lies along x

# All in widths of the eye between its corners. The eyeball: 12 mm in a lid opening of 29 mm.
# The iris of eyes that look straight ahead, from the middle of the corners: where MediaPipe's
# eyeLook coefficients vanish, by regression over three persons.
EYEBALL_RADIUS = 12 / 29
REST_OUTWARD = 0.03
REST_DOWN = -0.10

_SINE_LIMIT = 0.9  # the iris does not turn further than some 64 degrees


def directions(points: Floats, rotation: Floats) -> Floats:
    """Unit vectors (2, 3) of both eyes' gaze.

    points   : (478, 3), px on all axes, in the camera's axes
    rotation : (3, 3) of the head
    """
    return np.array(
        [
            rotation @ _in_head(points[list(eye)] @ rotation, outward)
            for eye, outward in zip(EYES, OUTWARD, strict=True)
        ]
    )


def angles(directions: Floats) -> Floats:
    """OpenFace's gaze_angle_x and gaze_angle_y in rad, of the mean of both eyes (2, 3)."""
    x, y, z = directions.mean(axis=0)
    return np.array([np.arctan2(x, -z), np.arctan2(y, -z)])


def _in_head(eye: Floats, outward: float) -> Floats:
    """Direction (3,) from outer corner, inner corner and iris (3, 3), all in the head's axes."""
    outer, inner, iris = eye
    offset = (iris - (outer + inner) / 2) / np.linalg.norm(outer - inner)
    rest = np.array([outward * REST_OUTWARD, REST_DOWN])
    sines = (offset[:2] - rest) / EYEBALL_RADIUS
    sines *= min(1.0, _SINE_LIMIT / max(float(np.linalg.norm(sines)), _SINE_LIMIT))
    return np.array([*sines, -np.sqrt(1 - sines @ sines)])
