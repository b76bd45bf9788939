"""Landmarks, pose and gaze, from faces made by hand."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from pipeline_lib.face import gaze, pose
from pipeline_lib.face.landmarks import FROM_478, ibug68

Floats = npt.NDArray[np.float64]

UPRIGHT = np.eye(3)
EYE = 29.0  # px, width


def looking(*, right: float = 0.0, down: float = 0.0) -> Floats:
    """Points of an upright head whose irises lie so many px off where they rest."""
    points = np.zeros((478, 3))
    for (outer, inner, iris), outward, x in zip(gaze.EYES, gaze.OUTWARD, (-40, 40), strict=True):
        points[outer] = [x + outward * EYE / 2, 0, 0]
        points[inner] = [x - outward * EYE / 2, 0, 0]
        rest = [x + outward * gaze.REST_OUTWARD * EYE, gaze.REST_DOWN * EYE, 0]
        points[iris] = np.add(rest, [right, down, 0])
    return points


def test_68_different_landmarks_are_picked_in_order() -> None:
    points = np.arange(478.0)[:, None] * [1, 2, 3]
    assert ibug68(points).shape == (68, 3)
    assert ibug68(points)[:, 0].astype(int).tolist() == list(FROM_478)
    assert len(set(FROM_478)) == 68


angle = st.floats(-1.2, 1.2)


@given(x=angle, y=angle, z=angle)
def test_euler_angles_are_those_of_the_rotation(x: float, y: float, z: float) -> None:
    rotation = Rotation.from_euler("XYZ", [x, y, z]).as_matrix()  # Rx @ Ry @ Rz
    np.testing.assert_allclose(pose.euler_angles(rotation), [x, y, z], atol=1e-9)


def test_a_rotation_turns_from_mediapipes_axes_to_openfaces() -> None:
    # MediaPipe has y up: its turn about x keeps its sense, those about y and z change it.
    for axis, sense in (("x", 1), ("y", -1), ("z", -1)):
        transform = np.eye(4)
        transform[:3, :3] = Rotation.from_euler(axis, 0.3).as_matrix()
        found = pose.euler_angles(pose.rotation(transform))
        expected = [0.3 * sense if name == axis else 0 for name in "xyz"]
        np.testing.assert_allclose(found, expected, atol=1e-9)


def test_a_face_in_the_middle_lies_on_the_cameras_axis() -> None:
    transform = np.eye(4)
    transform[2, 3] = -30.0  # cm
    middle = np.tile([320.0, 240.0, 0.0], (68, 1))
    x, y, z = pose.translation(transform, middle, width=640, height=480)
    assert (x, y) == (0, 0)
    assert z == pytest.approx(300 * 500 / (240 / np.tan(np.deg2rad(31.5))))
    beside = pose.translation(transform, np.add(middle, [50, 0, 0]), width=640, height=480)
    np.testing.assert_allclose(beside, [z * 50 / 500, 0, z])


def test_a_look_ahead_goes_into_the_camera() -> None:
    directions = gaze.directions(looking(), UPRIGHT)
    np.testing.assert_allclose(directions, [[0, 0, -1], [0, 0, -1]], atol=1e-12)
    np.testing.assert_allclose(gaze.angles(directions), [0, 0], atol=1e-12)


def test_an_iris_at_the_right_looks_right_and_one_below_looks_down() -> None:
    offset = 0.5 * gaze.EYEBALL_RADIUS * EYE  # half the radius: 30 degrees
    for direction, expected in (("right", [np.pi / 6, 0]), ("down", [0, np.pi / 6])):
        directions = gaze.directions(looking(**{direction: offset}), UPRIGHT)
        np.testing.assert_allclose(gaze.angles(directions), expected, atol=1e-9)


@given(x=angle, y=angle, z=angle, right=st.floats(-4, 4), down=st.floats(-4, 4))
def test_gaze_turns_with_the_head(x: float, y: float, z: float, right: float, down: float) -> None:
    head = Rotation.from_euler("XYZ", [x, y, z]).as_matrix()
    still = gaze.directions(looking(right=right, down=down), UPRIGHT)
    turned = gaze.directions(looking(right=right, down=down) @ head.T, head)
    np.testing.assert_allclose(turned, still @ head.T, atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(turned, axis=1), 1)


def test_an_iris_out_of_the_eye_still_gives_a_direction() -> None:
    directions = gaze.directions(looking(right=100.0), UPRIGHT)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1)
    assert (directions[:, 0] < 0.95).all()
