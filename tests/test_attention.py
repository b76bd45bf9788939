"""What MVP's maps over time are made of: they add up, and follow what is planted."""

from typing import Any

import numpy as np
import pytest
import torch

from models.layers import MVP
from pipeline_lib import attention
from pipeline_lib.learning.training import Batch
from tests.test_models import batch, build, lengths_of, small

READOUTS = ("mean", "cls", "last")


def model_and_trial(**changes: Any) -> tuple[MVP, Batch]:
    config = small("mvp", **changes)
    lengths = lengths_of(config)
    trial = {name: x[1:] for name, x in batch("mvp", 2, lengths).items()}  # the shorter one
    model = build("mvp", config, lengths)
    assert isinstance(model, MVP)
    return model, trial


@pytest.mark.parametrize("readout", READOUTS)
def test_maps_are_one_on_average_and_the_answer_is_the_models(readout: str) -> None:
    model, trial = model_and_trial(readout=readout)
    explained = attention.explain(model, trial)
    with torch.inference_mode():
        expected = model(**trial).sigmoid()[0]
    assert [*explained.scores.values()] == pytest.approx(expected.tolist(), abs=1e-6)
    for maps in explained.over_time.values():
        assert maps["visual"].shape == (int(trial["n_frames"]),)
        assert maps["physio"].shape == (int(trial["n_times"]),)
        np.testing.assert_allclose([maps["visual"].mean(), maps["physio"].mean()], 1, rtol=1e-4)


def test_queries_count_by_what_they_add_to_the_logit() -> None:
    """Readout: mean. Their sum is the logit without its bias."""
    model, trial = model_and_trial()
    with torch.inference_mode(), attention._watched(model) as seen:
        logits = model(**trial)[0]
        assert seen.fused is not None
        added = model.head.weight @ seen.fused.T / len(seen.fused)
        torch.testing.assert_close(added.sum(dim=1) + model.head.bias, logits)
        expected = added.abs() / added.abs().sum(dim=1, keepdim=True)
        torch.testing.assert_close(attention._queries(model, seen), expected)


def test_only_what_a_token_is_made_of_is_marked() -> None:
    """Tokens of the first half of the time alone: nothing of the second half can count."""
    model, trial = model_and_trial()
    half = int(trial["n_frames"]) // 2
    with torch.no_grad():
        model.visual.over_time.weight[:, half:] = 0
    found = attention.explain(model, trial).over_time["valence"]["visual"]
    assert (found[half:] == 0).all()
    assert found[:half].mean() == pytest.approx(len(found) / half, rel=1e-4)


def test_attention_to_one_token_marks_its_frames() -> None:
    """All layers look at the video token that is made of a tenth of the time."""
    model, trial = model_and_trial()
    with torch.no_grad():
        weight = model.visual.over_time.weight
        n_frames = int(trial["n_frames"])
        for n, row in enumerate(weight):
            row[torch.arange(len(row)) * len(weight) // n_frames != n] = 0
    watched = torch.eye(len(weight))[2]

    def look(_: Any, __: Any, output: tuple[torch.Tensor, Any]) -> tuple[torch.Tensor, Any]:
        return output[0], watched.expand_as(output[1])

    for layer in model.fusion.layers:
        layer.get_submodule("attention").register_forward_hook(look)
    found = attention.explain(model, trial).over_time["arousal"]["visual"]
    inside = np.arange(len(found)) * len(weight) // len(found) == 2
    assert found[~inside].max() == 0
    assert found[inside].sum() == pytest.approx(len(found), rel=1e-4)


def test_frames_without_a_face_are_not_attended_to_if_quality_is_masked() -> None:
    model, trial = model_and_trial(quality="mask")
    faces = torch.arange(trial["visual"].size(1))[None] >= 5
    masked = {**trial, "faces": faces, "quality": torch.ones(1, 2)}
    found = attention.explain(model, masked).over_time["valence"]["visual"]
    assert (found[:5] == 0).all()
    assert found.mean() == pytest.approx(1, rel=1e-4)


def test_nothing_stays_attached_to_the_model() -> None:
    model, trial = model_and_trial()
    attention.explain(model, trial)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
