"""The head's position and rotation in OpenFace's camera: x right, y down, z into the picture."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# MediaPipe's camera has y up and z towards the viewer.
_FLIP = np.diag([1.0, -1.0, -1.0])
_MEDIAPIPE_FIELD_OF_VIEW = np.deg2rad(63.0)  # vertical, of its face geometry
_MM_PER_CM = 10.0

# MediaPipe's matrix turns less than the head: by two thirds of what real faces are turned by as
# rendered meshes (tests/test_face_gaze.py), and by 0.8 where they nod. Rolls are right.
GAIN = np.array([1.25, 1.5, 1.0])
_STEEPEST = np.deg2rad(89.0)

# OpenFace's model of the head is smaller, and so nearer: from its real output for one clip.
_OPENFACE_SCALE = 0.91


def rotation(transform: Floats) -> Floats:
    """Rotation of the head (3, 3) out of MediaPipe's facial transformation matrix (4, 4)."""
    measured = euler_angles(_FLIP @ transform[:3, :3] @ _FLIP)
    return _matrix(np.clip(GAIN * measured, -_STEEPEST, _STEEPEST))


def euler_angles(rotation: Floats) -> Floats:
    """Rx, Ry, Rz in rad for which the rotation is Rx @ Ry @ Rz: OpenFace's pose_R."""
    return np.array(
        [
            np.arctan2(-rotation[1, 2], rotation[2, 2]),
            np.arcsin(np.clip(rotation[0, 2], -1, 1)),
            np.arctan2(-rotation[0, 1], rotation[0, 0]),
        ]
    )


def _matrix(angles: Floats) -> Floats:
    """Rx @ Ry @ Rz (3, 3), of angles in rad."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles), np.sin(angles)
    return np.array(
        [
            [cy * cz, -cy * sz, sy],
            [cx * sz + sx * sy * cz, cx * cz - sx * sy * sz, -sx * cy],
            [sx * sz - cx * sy * cz, sx * cz + cx * sy * sz, cx * cy],
        ]
    )


def focal_length(*, width: int, height: int) -> float:
    """What OpenFace assumes where nothing is told of the camera, in px."""
    return (500 * width / 640 + 500 * height / 480) / 2


def in_camera(points: Floats, face: Floats, depth: float, *, width: int, height: int) -> Floats:
    """Places (n, 3) in mm of points (n, 3) in px of the picture, in the camera's axes.

    face          : (n_landmarks, 3), px, landmarks whose middle lies at the depth
    depth         : mm, as that of `translation`
    width, height : of the picture, px

    Before and behind that depth lies what MediaPipe's z says, which is in px as x and y are.
    """
    focal = focal_length(width=width, height=height)
    z = depth * (1 + (points[:, 2:] - face[:, 2].mean()) / focal)
    return np.hstack([(points[:, :2] - np.array([width, height]) / 2) * z / focal, z])


def translation(transform: Floats, landmarks: Floats, *, width: int, height: int) -> Floats:
    """Position of the middle of the 68 landmarks in mm: OpenFace's pose_T.

    transform     : (4, 4), MediaPipe's facial transformation matrix, cm
    landmarks     : (68, n_axes), px
    width, height : of the picture, px

    The depth is MediaPipe's, for OpenFace's longer focal length and smaller head.
    """
    focal = focal_length(width=width, height=height)
    mediapipe_focal = height / 2 / np.tan(_MEDIAPIPE_FIELD_OF_VIEW / 2)
    depth = -transform[2, 3] * _MM_PER_CM * _OPENFACE_SCALE * focal / mediapipe_focal
    x, y = landmarks[:, :2].mean(axis=0) - np.array([width, height]) / 2
    return np.array([x * depth / focal, y * depth / focal, depth])
