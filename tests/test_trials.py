"""Recordings of three or four frames, as tensors."""

import math
from functools import partial
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from pipeline_lib.core.schema import FEATURES
from pipeline_lib.learning.training import TrainingError
from pipeline_lib.stored_features.trials import (
    N_VISUAL,
    Lengths,
    Trials,
    VisualScale,
    lacking,
    standardise,
    usable,
)

single = partial(np.array, dtype=np.float32)


def recording(name: str, visual: list[float], **changes: Any) -> dict[str, Any]:
    """A row of FEATURES: each frame shows one value in all columns; four samples of physiology."""
    row = {
        "recording_id": name,
        "subject": name,
        "n_frames": len(visual),
        "visual": np.repeat(single(visual), N_VISUAL),
        "face_share": 1.0,
        "n_times": 4,
        "physio": single([1, 10, 2, 10, 3, 10, 4, 10]),
        "heart_quality": 1.0,
        "EDA_quality": 1.0,
        "valence_label": 0,
        "arousal_label": 1,
    }
    return {**row, **changes}


def features(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=dict(FEATURES))


def test_scale_is_that_of_frames_with_a_face() -> None:
    table = features(recording("a", [1, math.nan, 3]), recording("b", [5, math.nan]))
    scale = VisualScale.of(table)
    np.testing.assert_allclose(scale.mean, 3)
    np.testing.assert_allclose(scale.std, np.std([1, 3, 5]), rtol=1e-6)
    (visual,) = {tuple(x) for x in scale.apply(np.full((2, N_VISUAL), np.nan, np.float32))}
    assert visual == (0.0,) * N_VISUAL


def test_constant_feature_becomes_zero() -> None:
    scale = VisualScale.of(features(recording("a", [2, 2, 2])))
    assert not scale.apply(np.full((1, N_VISUAL), 2, np.float32)).any()


def test_physiology_is_standardised_by_channel() -> None:
    z = standardise(single([[1, 5], [2, 5], [3, 5]]))
    np.testing.assert_allclose(z[:, 0], [-math.sqrt(1.5), 0, math.sqrt(1.5)], rtol=1e-6)
    np.testing.assert_array_equal(z[:, 1], 0)


def test_padding_follows_the_recording_and_is_not_standardised() -> None:
    table = features(recording("a", [1, 3]))
    item = Trials(table, VisualScale.of(table), Lengths(frames=5, times=7))[0]
    assert item["visual"].shape == (5, N_VISUAL)
    assert item["visual"][:, 0].tolist() == [-1, 1, 0, 0, 0]
    assert item["physio"].shape == (7, 2)
    assert not item["physio"][4:].any()
    assert (item["n_frames"].item(), item["n_times"].item()) == (2, 4)
    assert item["labels"].tolist() == [0, 1]


@pytest.mark.parametrize(("lengths", "column"), [((1, 9), "n_frames = 2"), ((9, 3), "n_times = 4")])
def test_longer_recording_names_the_key(lengths: tuple[int, int], column: str) -> None:
    table = features(recording("a", [1, 3]))
    with pytest.raises(
        TrainingError, match=rf"a: {column}.*models\.<scale>\.<system>\.max_seconds"
    ):
        Trials(table, VisualScale.of(table), Lengths(*lengths))


def test_lengths_come_from_params() -> None:
    lengths = Lengths.of(155.5, fps=18.0, sampling_rate=128.0)
    assert (lengths.frames, lengths.times) == (2799, 19904)


def test_a_batch_is_picked_whole_in_the_order_of_a_models_arguments() -> None:
    table = features(recording("a", [1, 3]), recording("b", [5, 7, 9]))
    trials = Trials(table, VisualScale.of(table), Lengths(frames=5, times=7), quality=True)
    batch = trials.__getitems__([1, 0])
    names = ["visual", "physio", "n_frames", "n_times", "faces", "quality", "labels"]
    assert list(batch) == names
    assert batch["n_frames"].tolist() == [3, 2]
    for i, item in enumerate((trials[1], trials[0])):
        assert all(torch.equal(batch[name][i], item[name]) for name in names)


def test_one_modality_needs_no_more() -> None:
    table = features(recording("a", []))
    trials = Trials(table, None, Lengths(frames=5, times=7), ("physio",))
    assert list(trials[0]) == ["physio", "n_times", "labels"]
    with pytest.raises(ValueError, match="scale of the training fold"):
        Trials(table, None, Lengths(frames=5, times=7))


def test_quality_says_what_is_there() -> None:
    """No face, half of the EDA, no heart: weighed, not made up."""
    gaps = single([math.nan, 10, math.nan, 30, math.nan, math.nan, math.nan, math.nan])
    row = recording("a", [1, math.nan], physio=gaps, heart_quality=None, EDA_quality=0.8)
    table = features(row, recording("b", []), recording("c", [1], n_times=0, physio=None))
    trials = Trials(table, VisualScale.of(table), Lengths(frames=3, times=5), quality=True)
    assert trials.tensors["faces"].tolist() == [
        [True, False, False],
        [False] * 3,
        [True, False, False],
    ]
    np.testing.assert_allclose(trials.tensors["quality"], [[0, 0.4], [1, 1], [0, 0]], rtol=1e-6)
    z = trials.tensors["physio"][0]
    assert not z[:, 0].any()
    np.testing.assert_allclose(z[:4, 1], [-math.sqrt(2), math.sqrt(2), 0, 0], rtol=1e-6)


def test_usable_needs_both_modalities_and_both_labels() -> None:
    table = features(
        recording("whole", [1]),
        recording("no video", []),
        recording("no signals", [1], n_times=0, physio=[]),
        recording("no EDA", [1], physio=single([1, math.nan] * 4)),
        recording("no valence", [1], valence_label=None),
        recording("no arousal", [1], arousal_label=None),
    )
    assert usable(table)["recording_id"].to_list() == ["whole"]
    assert lacking(table) == {
        "no video": "no video",
        "no signals": "not both of heart and EDA",
        "no EDA": "a gap in heart or EDA",
        "no valence": "no valence label",
        "no arousal": "no arousal label",
    }
    assert set(lacking(table, ("visual",))) == {"no video", "no valence", "no arousal"}
    assert set(lacking(table, ("physio",))) == {*lacking(table)} - {"no video"}
    assert set(lacking(table, any_of_them=True)) == {"no valence", "no arousal"}
    neither = features(recording("empty", [], n_times=0))
    assert lacking(neither, any_of_them=True) == {"empty": "neither video nor signals"}
