"""The 68 facial landmarks of iBUG, as OpenFace gives them, out of MediaPipe's 478."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# MediaPipe's index of each iBUG point, in iBUG's order, "left" as in the image. It is the common
# table of public code, e.g. LatentSync 1.5 (ByteDance, Apache-2.0), but for the upper jaw and the
# ends of the brows: the pairs of points that lie nearest to where dlib's predictor, trained on
# iBUG's own annotations, sees them in three persons. The far jaw of a turned head is where the
# mesh has it, hidden or not, as it is with OpenFace's model of the head.
FROM_478 = (
    *(127, 234, 177, 215, 172, 136, 149, 148, 152, 377, 378, 365, 397, 435, 401, 454, 356),  # jaw
    *(70, 63, 105, 66, 107),  # left brow
    *(336, 296, 334, 293, 300),  # right brow
    *(168, 197, 5, 4),  # bridge of the nose
    *(75, 97, 2, 326, 305),  # its lower edge
    *(33, 160, 158, 133, 153, 144),  # left eye
    *(362, 385, 387, 263, 373, 380),  # right eye
    *(61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181),  # outer lips
    *(78, 82, 13, 312, 308, 317, 14, 87),  # inner lips
)


def ibug68(points: Floats) -> Floats:
    """Pick the 68 landmarks: (478, n_axes) -> (68, n_axes), any unit."""
    return points[list(FROM_478)]
