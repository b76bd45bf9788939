"""OpenFace's eye landmarks: which index is what, on eyes made by hand, and where they lie in mm."""

import numpy as np
import numpy.typing as npt
from hypothesis import given, strategies as st

from pipeline_lib.face import pose
from pipeline_lib.face.eyes import PUPIL, eye_landmarks
from pipeline_lib.face.landmarks import ibug68

Floats = npt.NDArray[np.float64]

# Right, top, left and bottom of the irises; the corners of the eyes, left before right.
IRISES = ((469, 470, 471, 472), (474, 475, 476, 477))
CORNERS = ((33, 133), (362, 263))
UPPER = ((246, 161, 160, 159, 158, 157, 173), (398, 384, 385, 386, 387, 388, 466))
LOWER = ((7, 163, 144, 145, 153, 154, 155), (382, 381, 380, 374, 373, 390, 249))
MIDDLES = ((-30.0, 0.0), (30.0, 0.0))  # px


def eyes() -> Floats:
    """Points (478, 3) of two eyes 24 px wide, lids 8 px from the middle line, irises of 5 px."""
    points = np.zeros((478, 3))
    for iris, corners, upper, lower, middle in zip(
        IRISES, CORNERS, UPPER, LOWER, MIDDLES, strict=True
    ):
        points[list(iris), :2] = np.add(middle, [(5, 0), (0, -5), (-5, 0), (0, 5)])
        points[list(corners), :2] = np.add(middle, [(-12, 0), (12, 0)])
        for lid, y in ((upper, -8), (lower, 8)):  # unevenly, along three straight lines
            places = [(-12, y / 2), (-12, y), (-9, y), (-8, y), (2, y), (12, y), (12, y / 2)]
            points[list(lid), :2] = np.add(middle, places)
    return points


def test_rings_begin_at_the_left_and_at_the_lower_left_and_run_against_each_other() -> None:
    for eye, middle in zip(eye_landmarks(eyes())[:, :2].reshape(2, 28, 2), MIDDLES, strict=True):
        s = 5 / np.sqrt(2)
        ring = [(-5, 0), (-s, -s), (0, -5), (s, -s), (5, 0), (s, s), (0, 5), (-s, s)]
        np.testing.assert_allclose(eye[:8] - middle, ring, atol=1e-9)
        np.testing.assert_allclose(eye[20:] - middle, PUPIL * np.array(ring[::-1]), atol=1e-9)


def test_lids_are_shared_out_evenly_from_corner_to_corner_over_the_top() -> None:
    upper = [(-12, 0), (-12, -20 / 3), (-20 / 3, -8), (0, -8)]
    for eye, middle in zip(eye_landmarks(eyes())[:, :2].reshape(2, 28, 2), MIDDLES, strict=True):
        lids = eye[8:20] - middle
        np.testing.assert_allclose(lids[:4], upper, atol=1e-9)  # 40 px in six steps
        np.testing.assert_allclose(lids[4:7], [(20 / 3, -8), (12, -20 / 3), (12, 0)], atol=1e-9)
        np.testing.assert_allclose(lids[7:], lids[1:6][::-1] * [1, -1], atol=1e-9)


def test_an_eye_without_extent_is_a_point() -> None:
    np.testing.assert_allclose(eye_landmarks(np.full((478, 3), 7.0)), np.full((56, 3), 7.0))


@given(depth=st.floats(100, 5000), seed=st.integers(0, 100), width=st.sampled_from([320, 1280]))
def test_places_in_mm_are_seen_where_the_landmarks_are(depth: float, seed: int, width: int) -> None:
    points = np.random.default_rng(seed).uniform(0, 100, (478, 3))
    transform = np.eye(4)
    transform[2, 3] = -depth / 10
    face, size = ibug68(points), {"width": width, "height": 240}
    position = pose.translation(transform, face, **size)
    eyes_in_mm = pose.in_camera(eye_landmarks(points), face, position[2], **size)
    picture_middle = np.array([width / 2, 120])
    seen = picture_middle + pose.focal_length(**size) * eyes_in_mm[:, :2] / eyes_in_mm[:, 2:]
    np.testing.assert_allclose(seen, eye_landmarks(points)[:, :2], atol=1e-6)
    middle = pose.in_camera(face.mean(axis=0)[None], face, position[2], **size)
    np.testing.assert_allclose(middle, position[None])
