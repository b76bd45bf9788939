"""The 68 facial landmarks of iBUG, as OpenFace gives them, out of MediaPipe's 478."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# MediaPipe's index of each iBUG point, in iBUG's order, "left" as in the image. The common
# table of public code, e.g. LatentSync 1.5 (ByteDance, Apache-2.0). The jaw is approximate:
# MediaPipe's contour runs along the visible outline of the head.
FROM_478 = (
    *(162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389),  # jaw
    *(71, 63, 105, 66, 107),  # left brow
    *(336, 296, 334, 293, 301),  # right brow
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
