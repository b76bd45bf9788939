"""Backbones, attention, readout: what padding, masks and modalities do; the equations of MVP."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from models.layers import MVP, AttentionLayer, Backbone, SegmentEncoder, sinusoids
from models.mvp_ssl import span_masks
from models.transcription import Transcription
from pipeline_lib.learning.training import Batch, label_loss
from tests.test_models import batch, lengths_of, small

N_TIMES, N_TOKENS = 120, 6


def build(**changes: Any) -> tuple[MVP, Batch]:
    config = small("mvp", **changes)
    torch.manual_seed(0)
    return MVP(config, lengths_of(config)).eval(), batch("mvp", 4, lengths_of(config))


def backbone(n_times: int = N_TIMES, *, mask_padding: bool = False) -> Backbone:
    torch.manual_seed(0)
    return Backbone(2, (8, 16), (9, 5), n_times, N_TOKENS, mask_padding=mask_padding).eval()


def whole(model: Backbone, x: Tensor) -> Tensor:
    """All of the padded length, one layer after the other."""
    hidden = x.transpose(1, 2)
    for convolution in model.convolutions:
        hidden = convolution(hidden).relu()
    tokens: Tensor = model.over_time(hidden).transpose(1, 2)
    return tokens


def gradients(model: torch.nn.Module, loss: Tensor) -> dict[str, Tensor]:
    model.zero_grad()
    torch.autograd.backward(loss)
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("lengths", [[120, 120], [50, 1], [119, 64], [105, 106], [0, 80]])
def test_what_is_spared_of_the_padding_changes_nothing(lengths: list[int]) -> None:
    model, x = backbone(), torch.randn(2, N_TIMES, 2)
    ends = torch.tensor(lengths)
    x[torch.arange(N_TIMES) >= ends[:, None]] = 0
    torch.testing.assert_close(model(x, ends), whole(model, x))
    weights = torch.randn(2, N_TOKENS, 16)
    ours = gradients(model, (model(x, ends) * weights).sum())
    torch.testing.assert_close(ours, gradients(model, (whole(model, x) * weights).sum()))


def test_padding_is_spared() -> None:
    model, seen = backbone(), []
    model.convolutions[0].register_forward_hook(lambda _m, x, _y: seen.append(x[0].size(2)))
    model(torch.zeros(3, N_TIMES, 2), torch.tensor([31, 60, 32]))  # rounded up to even numbers
    assert seen == [n + 2 * model.halo + 1 for n in (32, 60)]


def test_masked_padding_is_as_if_there_were_none() -> None:
    """Tokens of a padded signal are those of the bare one under the weights of its own time."""
    padded, bare = backbone(mask_padding=True), backbone(30)
    over_time = padded.over_time.weight.detach()[:, :30]
    bare.load_state_dict({**padded.state_dict(), "over_time.weight": over_time})
    x = torch.randn(1, N_TIMES, 2)
    x[:, 30:] = 0
    length = torch.tensor([30])
    torch.testing.assert_close(padded(x, length), whole(bare, x[:, :30]))
    assert not torch.allclose(whole(padded, x), whole(bare, x[:, :30]), atol=1e-3)


def test_unknown_frames_are_as_if_they_were_zero_after_every_layer() -> None:
    """Known up to an end is the same as ending there; the shares say of what tokens are made."""
    model, x = backbone(mask_padding=True), torch.randn(2, N_TIMES, 2)
    ends = torch.tensor([40, 100])
    known = torch.arange(N_TIMES) < ends[:, None]
    x[~known] = 0
    torch.testing.assert_close(model(x, torch.tensor([120, 120]), known), model(x, ends))
    torch.testing.assert_close(model.shares(torch.ones_like(known)), torch.ones(2, N_TOKENS))
    assert not model.shares(torch.zeros_like(known)).any()


def test_attention_is_multiplied_by_the_weights() -> None:
    """Weight 1/2 of one token is as if the other stood there twice; weight 0, not at all."""
    torch.manual_seed(0)
    layer = AttentionLayer(8, 2, 0.0, cross=True).eval()
    x, context = torch.randn(1, 3, 8), torch.randn(1, 2, 8)
    halved = layer(x, context, torch.tensor([[1.0, 0.0]]))
    torch.testing.assert_close(halved, layer(x, context[:, :1], torch.ones(1, 1)))
    nothing = layer(x, context, torch.zeros(1, 2))
    torch.testing.assert_close(nothing, layer(x, 5 * context, torch.zeros(1, 2)))
    assert nothing.isfinite().all()


@pytest.mark.parametrize("readout", ["mean", "cls", "last"])
@pytest.mark.parametrize("mask_padding", [False, True])
def test_any_readout_gives_one_logit_a_target(readout: str, mask_padding: bool) -> None:
    model, inputs = build(readout=readout, mask_padding=mask_padding)
    assert model(**inputs).shape == (4, 2)
    assert {n for n, p in model.named_parameters() if not p.requires_grad} == set()


def test_video_enters_by_attention_only() -> None:
    """The residual stream is physiology's: without attention the video changes nothing."""
    model, inputs = build()
    other = {**inputs, "visual": 2 * inputs["visual"]}
    assert not torch.allclose(model(**inputs), model(**other), atol=1e-4)
    for layer in model.fusion.layers:
        torch.nn.init.zeros_(layer.attention.out_proj.weight)  # type: ignore[union-attr, arg-type]
    assert torch.equal(model(**inputs), model(**other))


def test_good_quality_and_faces_everywhere_are_no_mask_but_for_the_padding() -> None:
    """Bad physiology or no face is not read: what stands there does not matter."""
    model, inputs = build(quality="mask")
    faces = torch.ones(inputs["visual"].shape[:2], dtype=torch.bool)
    good = {"faces": faces, "quality": torch.ones(4, 2)}
    bad = {"faces": ~faces, "quality": torch.zeros(4, 2)}
    other = {**inputs, "visual": 2 * inputs["visual"], "physio": -inputs["physio"]}
    assert not torch.allclose(model(**inputs, **good), model(**other, **good), atol=1e-4)
    torch.testing.assert_close(model(**inputs, **bad), model(**other, **bad))


def test_mvp_is_what_the_equations_of_the_paper_say() -> None:
    model, inputs = build(dropout=0.0)
    batch = {**inputs, "labels": torch.tensor([[0.0, 1], [1, 1], [0, 0], [1, 0]])}
    by_hand = Transcription(model)
    torch.testing.assert_close(model(**inputs), by_hand(**inputs))
    ours = gradients(model, label_loss(model, batch))
    torch.testing.assert_close(ours, gradients(model, label_loss(by_hand, batch)))


def test_a_segment_is_read_in_tokens_of_pooled_samples() -> None:
    config = small("uni_transformer")
    encoder = SegmentEncoder(config, 2, (8, 16), (9, 5), 4, n_times=30).eval()
    assert encoder.positions.shape == (1 + 8, 16)  # CLS, and 30 samples by fours
    assert encoder(torch.randn(3, 30, 2)).shape == (3, 16)


def test_spans_are_hidden_whole_and_in_the_share_that_is_asked_for() -> None:
    hidden = span_masks(50, n_times=103, span=10, ratio=0.5)
    assert hidden.shape == (50, 103)
    assert set(hidden[:, ::10].sum(1).tolist()) == {5}  # of 11 spans, the last is a short one
    assert torch.equal(hidden[:, :100:10], hidden[:, 9:100:10])
    assert hidden.unique(dim=0).size(0) > 40


def test_positions_are_those_of_the_transformer() -> None:
    positions = sinusoids(3, 4)
    expected = [np.sin(2), np.cos(2), np.sin(0.02), np.cos(0.02)]
    np.testing.assert_allclose(positions[2], expected, rtol=1e-6)
