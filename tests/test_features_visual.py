"""Mean and standard deviation of what a face showed."""

import math

import numpy as np

from pipeline_lib.core.schema import VISUAL
from pipeline_lib.physio.face_summary import visual_features


def test_known_answer_over_frames_with_a_face() -> None:
    visual = np.array([[1, 10], [np.nan, np.nan], [3, 10]], np.float32)
    assert visual_features(visual, names=["AU12_r", "gaze_0_x"]) == {
        "visual_AU12_r_mean": 2.0,
        "visual_gaze_0_x_mean": 10.0,
        "visual_AU12_r_std": 1.0,
        "visual_gaze_0_x_std": 0.0,
    }


def test_84_features_of_which_none_without_a_face() -> None:
    names = VISUAL["stressid42"]
    features = visual_features(np.full((5, 42), np.nan, np.float32), names=names)
    assert len(features) == 84
    assert all(map(math.isnan, features.values()))
    assert visual_features(np.empty((0, 42), np.float32), names=names).keys() == features.keys()


def test_one_face_has_no_deviation() -> None:
    features = visual_features(np.array([[1, 10]], np.float32), names=["AU12_r", "gaze_0_x"])
    assert features["visual_AU12_r_mean"] == 1.0
    assert math.isnan(features["visual_AU12_r_std"])
