"""Every network on tokens: all inputs count, and what is missing does not."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from models.fusion import build
from models.modalities import Modalities
from pipeline_lib.params import load_params
from tests.fusion_data import N_TARGETS, N_TOKENS, SYSTEMS, WIDTHS, small

systems = pytest.mark.parametrize("system", SYSTEMS)


def network(system: str, **changes: Any) -> nn.Module:
    torch.manual_seed(0)
    return build(small(system, **changes), WIDTHS, N_TOKENS, N_TARGETS).eval()


def batch(n: int = 3) -> tuple[Tensor, Tensor]:
    tokens = torch.randn(
        n, N_TOKENS, sum(WIDTHS.values()), generator=torch.Generator().manual_seed(1)
    )
    return tokens, torch.ones(n, N_TOKENS, len(WIDTHS), dtype=torch.bool)


def test_every_model_that_params_name_is_tested() -> None:
    fusion = load_params().fusion["tiny"]
    models = {fusion[system].model for system in SYSTEMS}
    assert {section.model for section in fusion.values()} == models


@systems
def test_one_number_a_target_in_any_order_of_the_batch(system: str) -> None:
    model, (tokens, present) = network(system), batch()
    said = model(tokens, present)
    assert said.shape == (3, N_TARGETS)
    order = [2, 0, 1]
    torch.testing.assert_close(model(tokens[order], present[order]), said[order])


@systems
def test_every_input_of_every_frame_is_felt(system: str) -> None:
    model, (tokens, present) = network(system), batch()
    tokens.requires_grad_()
    (gradient,) = torch.autograd.grad(model(tokens, present).sum(), tokens)
    for part in gradient.split(list(WIDTHS.values()), dim=2):
        assert (part.abs().sum(dim=2) > 0).all()


@systems
def test_every_parameter_learns(system: str) -> None:
    model, (tokens, present) = network(system), batch()
    for i in range(3):  # each lacks one input
        present[i, :, i] = False
    model(tokens, present).sum().backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []
    assert model.modalities.missing.grad.count_nonzero() == sum(WIDTHS.values())


@systems
@pytest.mark.parametrize("lost", [0, 1, 2])
def test_what_stands_in_a_masked_place_changes_nothing(system: str, lost: int) -> None:
    model, (tokens, present) = network(system), batch()
    full = model(tokens, present)
    present[:, :, lost] = False
    without = model(tokens, present)
    assert not torch.allclose(without, full)
    for anything in (0.0, 1e6, float("nan")):
        parts = list(tokens.split(list(WIDTHS.values()), dim=2))
        parts[lost] = torch.full_like(parts[lost], anything)
        torch.testing.assert_close(model(torch.cat(parts, dim=2), present), without)


@pytest.mark.parametrize("system", ["viper", "fau_lstm", "early"])
def test_frames_without_any_input_are_not_read(system: str) -> None:
    model, (tokens, present) = network(system), batch()
    present[:, 1] = False
    said = model(tokens, present)
    shorter = [0, 2, 3]
    if system == "viper":
        torch.testing.assert_close(model(tokens[:, shorter], present[:, shorter]), said)
    tokens[:, 1] = 100.0
    torch.testing.assert_close(model(tokens, present), said)


@pytest.mark.parametrize("system", ["fau_lstm", "early"])
def test_an_lstm_ends_with_the_last_frame_that_is_there(system: str) -> None:
    model, (tokens, present) = network(system), batch()
    padded = torch.cat([tokens, torch.zeros_like(tokens)], dim=1)
    there = torch.cat([present, torch.zeros_like(present)], dim=1)
    torch.testing.assert_close(model(padded, there), model(tokens, present))


@pytest.mark.parametrize(("positions", "blind"), [("none", True), ("learned", False)])
def test_viper_is_blind_to_the_order_of_frames_unless_asked(positions: str, blind: bool) -> None:
    model, (tokens, present) = network("viper", positions=positions), batch()
    order = [3, 1, 0, 2]
    said, shuffled = model(tokens, present), model(tokens[:, order], present[:, order])
    assert torch.allclose(said, shuffled, rtol=1e-4, atol=1e-7) is blind


@pytest.mark.parametrize("system", ["fau_lstm", "early", "mult", "bbmf", "tbje"])
def test_the_others_know_the_order_of_frames(system: str) -> None:
    model, (tokens, present) = network(system), batch()
    assert not torch.allclose(model(tokens, present), model(tokens[:, [3, 1, 0, 2]], present))


def test_the_vipers_of_the_paper_are_transformers_own_size() -> None:
    """Width 768 + 512 + 768 + 27 padded to 2080; counted without making the weights."""
    widths = {"image_face": 768, "audio": 512, "caption": 768, "fau": 27}
    with torch.device("meta"):
        model = build(load_params().fusion["paper"]["viper"], widths, 32, N_TARGETS)
    assert model.perceiver.config.d_model == 2080
    assert model.perceiver.embeddings.latents.shape == (256, 1280)
    assert len(model.perceiver.encoder.self_attends) == 26
    n_parameters = sum(p.numel() for p in model.parameters())
    assert 275e6 < n_parameters < 290e6


def test_the_width_is_padded_to_whole_heads() -> None:
    model = network("viper", cross_heads=4, keys="tokens")
    assert model.perceiver.config.d_model == 12  # of 11
    assert model(*batch()).isfinite().all()


def test_training_hides_inputs_but_never_all_of_a_recording() -> None:
    torch.manual_seed(0)
    modalities = Modalities(WIDTHS, dropout=0.7).train()
    tokens, present = batch(2000)
    _, shown = modalities(tokens, present)
    assert (shown == shown[:, :1]).all()  # whole inputs, in all frames
    assert shown.any(dim=(1, 2)).all()
    assert shown.float().mean() == pytest.approx(0.3 + 0.7**3, abs=0.02)
    torch.testing.assert_close(modalities.eval()(tokens, present)[1], present)


def test_low_rank_is_the_product_of_all_inputs() -> None:
    """Against the whole tensor that the factors stand for (Liu et al. 3.1)."""
    widths = dict.fromkeys(WIDTHS, 4)
    model = build(small("tensor", dim=4), widths, 1, N_TARGETS)
    model.readers = nn.ModuleList(nn.Identity() for _ in widths)
    tokens = torch.randn(2, 1, 12, generator=torch.Generator().manual_seed(0))
    z = [pad(part.squeeze(1), (0, 1), value=1.0) for part in tokens.split(4, dim=2)]
    whole = torch.einsum("r,rio,rjo,rko->ijko", model.weights[0], *model.factors)
    expected = torch.einsum("bi,bj,bk,ijko->bo", *z, whole) + model.bias
    said = model(tokens, torch.ones(2, 1, 3, dtype=torch.bool))
    torch.testing.assert_close(said, expected)
