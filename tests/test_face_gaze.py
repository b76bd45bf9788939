"""Gaze of heads made by hand, whose eyes fixate the camera, and of real faces turned as meshes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from face_clips import first_face, pictures, turned
from hypothesis import given, strategies as st
from scipy.spatial.transform import Rotation

from pipeline_lib.face import gaze, pose

Floats = npt.NDArray[np.float64]

UPRIGHT = np.eye(3)
WIDTH = 29.0  # mm, of an eye
EYES_APART = 62.0  # mm
FOCAL_LENGTH = 500.0  # px
degrees = st.floats(-30, 30)


def turn(*, yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> Floats:
    """Rotation of the head by so many degrees."""
    return Rotation.from_euler("XYZ", [pitch, yaw, roll], degrees=True).as_matrix()


def head(rotation: Floats, *, at: Floats, target: Floats) -> Floats:
    """Points (478, 2) in px of a head at a place in mm whose eyes look at a target in mm."""
    space = np.zeros((478, 3))
    for (outer, inner, iris), outward in zip(gaze.EYES, gaze.OUTWARD, strict=True):
        middle = np.array([outward * EYES_APART / 2, 0, 0])
        half = np.array([outward * WIDTH / 2, 0, 0])
        centre = WIDTH * np.array([outward * gaze.REST_OUTWARD, gaze.REST_DOWN, gaze.BEHIND])
        space[outer] = at + rotation @ (middle + half)
        space[inner] = at + rotation @ (middle - half)
        eyeball = at + rotation @ (middle + centre)
        ahead = (target - eyeball) / np.linalg.norm(target - eyeball)
        space[iris] = eyeball + WIDTH * gaze.EYEBALL_RADIUS * ahead
    return FOCAL_LENGTH * space[:, :2] / np.where(space[:, 2:] > 0, space[:, 2:], np.inf)


def directions(points: Floats, rotation: Floats) -> Floats:
    return gaze.in_head(points, rotation) @ rotation.T


def apart(a: Floats, b: Floats) -> float:
    """Largest angle between unit vectors (n, 3), in degrees."""
    return float(np.degrees(np.arccos(np.clip((a * b).sum(axis=1), -1, 1))).max())


@given(yaw=degrees, pitch=degrees)
def test_eyes_on_the_camera_stay_there_while_the_head_turns(yaw: float, pitch: float) -> None:
    at = np.array([0, 0, 600.0])
    rotation = turn(yaw=yaw, pitch=pitch)
    found = directions(head(rotation, at=at, target=np.zeros(3)), rotation)
    assert np.degrees(np.abs(gaze.angles(found))).max() < 3


@given(x=st.floats(-150, 150), y=st.floats(-100, 100), yaw=st.floats(-20, 20))
def test_a_face_beside_the_middle_that_looks_into_the_camera_looks_towards_the_origin(
    x: float, y: float, yaw: float
) -> None:
    at = np.array([x, y, 600.0])
    rotation = turn(yaw=yaw)
    found = directions(head(rotation, at=at, target=np.zeros(3)), rotation)
    # OpenFace's model of the eye, too, knows no perspective within the eye: some degrees.
    assert apart(found, -at[None] / np.linalg.norm(at) + 0 * found) < 6


@pytest.mark.parametrize(("x", "y"), [(200, 0), (-200, 0), (0, 150), (0, -150)])
def test_a_look_beside_the_camera_has_its_angle(x: float, y: float) -> None:
    found = directions(
        head(UPRIGHT, at=np.array([0, 0, 600.0]), target=np.array([x, y, 0.0])), UPRIGHT
    )
    expected = np.arctan2([x, y], 600)
    np.testing.assert_allclose(gaze.angles(found), expected, atol=np.deg2rad(2.5))


@given(yaw=degrees, pitch=degrees, roll=st.floats(-60, 60))
def test_eyes_at_rest_turn_with_the_head(yaw: float, pitch: float, roll: float) -> None:
    rotation = turn(yaw=yaw, pitch=pitch, roll=roll)
    far = np.array([0, 0, 1e7])
    points = 1e5 * head(rotation, at=far, target=far - 1e9 * rotation[:, 2])
    np.testing.assert_allclose(gaze.in_head(points, rotation), gaze.AHEAD, atol=1e-3)


def test_an_iris_out_of_the_eye_still_gives_a_direction() -> None:
    points = head(UPRIGHT, at=np.array([0, 0, 600.0]), target=np.zeros(3))
    points[[468, 473]] += 100
    found = gaze.in_head(points, UPRIGHT)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1)
    assert (found[:, 2] < -0.3).all()


def test_a_closed_eye_keeps_its_direction_and_the_other_moves() -> None:
    before = np.array([[0.6, 0.0, -0.8], [0.0, 0.6, -0.8]])
    now = np.array([[0.0, 0.8, -0.6], [0.8, 0.0, -0.6]])
    blendshapes = {"eyeBlinkRight": 0.7, "eyeBlinkLeft": 0.1}  # of the person: eye 0 is the right
    kept = gaze.keep_closed(now, blendshapes, before=before)
    np.testing.assert_array_equal(kept, [before[0], now[1]])


@pytest.mark.parametrize(
    ("clip", "frame"), [("neutral_then_smiling", 0), ("sad_then_laughing", 250)]
)
def test_a_turned_picture_of_a_face_turns_pose_and_gaze(
    asset: Callable[[str], Path], clip: str, frame: int
) -> None:
    model = asset("face_landmarker")
    (picture,) = pictures(asset(clip), [frame])
    straight = first_face([picture] * 2, model)
    start = pose.rotation(straight.transform)
    eyes = directions(straight.points, start)
    off_pose, off_gaze, raw = [], [], []
    for turning in (turn(yaw=-20), turn(yaw=20), turn(pitch=-20), turn(pitch=20)):
        face = first_face([turned(picture, straight.points, turning)] * 2, model)
        rotation = pose.rotation(face.transform)
        unscaled = Rotation.from_matrix(face.transform[:3, :3] @ straight.transform[:3, :3].T)
        raw.append(np.degrees(np.abs(unscaled.as_rotvec()).max()) / 20)
        error = Rotation.from_matrix(rotation @ start.T @ turning.T)
        off_pose.append(np.degrees(error.magnitude()))
        off_gaze.append(apart(directions(face.points, rotation), eyes @ turning.T))
    assert np.mean(raw[:2]) == pytest.approx(0.67, abs=0.15)  # what MediaPipe's own matrix tells
    assert np.mean(raw[2:]) == pytest.approx(0.8, abs=0.15)
    assert np.mean(off_pose) < 7
    assert np.mean(off_gaze) < 8
