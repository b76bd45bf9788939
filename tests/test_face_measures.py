"""Landmarks and pose, from faces made by hand."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, strategies as st
from scipy.spatial.transform import Rotation

from pipeline_lib.face import pose
from pipeline_lib.face.landmarks import FROM_478, ibug68

Floats = npt.NDArray[np.float64]


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
    for axis, gain in zip("xyz", pose.GAIN * [1, -1, -1], strict=True):
        transform = np.eye(4)
        transform[:3, :3] = Rotation.from_euler(axis, 0.3).as_matrix()
        found = pose.euler_angles(pose.rotation(transform))
        expected = [0.3 * gain if name == axis else 0 for name in "xyz"]
        np.testing.assert_allclose(found, expected, atol=1e-9)


def test_no_turn_goes_beyond_a_right_angle() -> None:
    transform = np.eye(4)
    transform[:3, :3] = Rotation.from_euler("y", 1.5).as_matrix()
    assert pose.euler_angles(pose.rotation(transform))[1] > -np.pi / 2


def test_a_face_in_the_middle_lies_on_the_cameras_axis() -> None:
    transform = np.eye(4)
    transform[2, 3] = -30.0  # cm
    middle = np.tile([320.0, 240.0, 0.0], (68, 1))
    x, y, z = pose.translation(transform, middle, width=640, height=480)
    assert (x, y) == (0, 0)
    assert z == pytest.approx(0.91 * 300 * 500 / (240 / np.tan(np.deg2rad(31.5))))
    beside = pose.translation(transform, np.add(middle, [50, 0, 0]), width=640, height=480)
    np.testing.assert_allclose(beside, [z * 50 / 500, 0, z])
