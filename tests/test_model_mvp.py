"""MVP: shapes, what the padding and the modalities do, leaks, learning, and its full size."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from models.mvp import MVP, Backbone, sinusoids, train_fold
from pipeline_lib.params import MVP as Config
from pipeline_lib.params import load_params
from pipeline_lib.schema import FEATURES
from pipeline_lib.training import Batch, FoldResult, label_loss
from pipeline_lib.trials import N_VISUAL, Lengths

FPS, SAMPLING_RATE, SECONDS = 4.0, 16.0, 8
LENGTHS = Lengths.of(10.0, fps=FPS, sampling_rate=SAMPLING_RATE)  # 40 frames, 160 samples


def config(**changes: Any) -> Config:
    small = (
        load_params()
        .models["tiny"]
        .mvp.model_copy(
            update={
                "max_seconds": 10.0,
                "visual_channels": (8, 16),
                "visual_kernels": (5, 3),
                "physio_channels": (8, 16),
                "physio_kernels": (9, 5),
                "tokens": 6,
                "dim": 16,
                "heads": 2,
                "epochs": 12,
                "learning_rate": 5e-3,
            }
        )
    )
    return small.model_copy(update=changes)


def batch(n: int, lengths: Lengths = LENGTHS) -> Batch:
    return {
        "visual": torch.randn(n, lengths.frames, N_VISUAL),
        "physio": torch.randn(n, lengths.times, 2),
        "n_frames": torch.full((n,), lengths.frames - 5),
        "n_times": torch.full((n,), lengths.times - 20),
    }


def build(**changes: Any) -> MVP:
    torch.manual_seed(0)
    return MVP(config(**changes), LENGTHS).eval()


@pytest.mark.parametrize("readout", ["mean", "cls", "last"])
@pytest.mark.parametrize("mask_padding", [False, True])
def test_one_logit_a_target_in_any_order_of_the_batch(readout: str, mask_padding: bool) -> None:
    model, inputs = build(readout=readout, mask_padding=mask_padding), batch(3)
    logits = model(**inputs)
    assert logits.shape == (3, 2)
    shuffled = model(**{name: x[[2, 0, 1]] for name, x in inputs.items()})
    torch.testing.assert_close(shuffled, logits[[2, 0, 1]])


def test_every_weight_learns() -> None:
    model = build(readout="cls").train()
    torch.autograd.backward(label_loss(model, {**batch(3), "labels": torch.ones(3, 2)}))
    assert [
        name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()
    ] == []


def test_masked_padding_is_as_if_there_were_none() -> None:
    """Tokens of a padded signal are those of the bare one under the weights of its own time."""
    torch.manual_seed(0)
    padded, bare = (Backbone(2, (8, 16), (9, 5), n, 6).eval() for n in (50, 30))
    bare.load_state_dict(
        {**padded.state_dict(), "over_time.weight": padded.over_time.weight.detach()[:, :30]}
    )
    x = torch.randn(1, 50, 2)  # what stands in the padding must not matter, be it no zeros
    x[:, 30:] = 0
    length = torch.tensor([30])
    torch.testing.assert_close(padded(x, length), bare(x[:, :30], length))
    assert not torch.allclose(padded(x, None), bare(x[:, :30], None), atol=1e-3)


def test_video_enters_by_attention_only() -> None:
    """The residual stream is physiology's: without attention the video changes nothing."""
    model, inputs = build(), batch(2)
    other = {**inputs, "visual": torch.randn_like(inputs["visual"])}
    assert not torch.allclose(model(**inputs), model(**other), atol=1e-4)
    for layer in model.layers:
        torch.nn.init.zeros_(layer.attention.out_proj.weight)  # type: ignore[union-attr, arg-type]
    assert torch.equal(model(**inputs), model(**other))


def test_positions_are_those_of_the_transformer() -> None:
    positions = sinusoids(3, 4)
    expected = [np.sin(2), np.cos(2), np.sin(0.02), np.cos(0.02)]
    np.testing.assert_allclose(positions[2], expected, rtol=1e-6)


# ---- Training on a fold -------------------------------------------------------------------------


def planted(n_subjects: int = 14, trials: int = 4) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Valence lifts ten visual features, arousal makes the EDA rise, not fall; and a fold."""
    rng = np.random.default_rng(0)
    time = np.arange(SECONDS * SAMPLING_RATE) / SAMPLING_RATE
    rows, roles = [], []
    for subject in range(n_subjects):
        role = "test" if subject < 3 else "validation" if subject < 6 else "train"
        for trial in range(trials):
            valence, arousal = (int(x) for x in rng.integers(0, 2, 2))
            visual = rng.normal(size=(round(SECONDS * FPS), N_VISUAL))
            visual[:, :10] += 2 * valence
            eda = (2 * arousal - 1) * time + rng.normal(size=time.size)
            physio = np.stack([rng.normal(size=time.size), eda], axis=1)
            name = f"{subject:02}_{trial}"
            rows.append((name, str(subject), len(visual), visual.ravel(), 1.0, len(physio),
                         physio.ravel(), 1.0, 1.0, valence, arousal))  # fmt: skip
            roles.append((0, name, str(subject), role))
    fold = pl.DataFrame(roles, schema=["fold", "recording_id", "subject", "role"], orient="row")
    return pl.DataFrame(rows, schema=dict(FEATURES), orient="row"), fold


def run(
    features: pl.DataFrame, fold: pl.DataFrame, checkpoint: Path | None = None, **changes: Any
) -> FoldResult:
    return train_fold(features, fold, config=config(**changes), fps=FPS,
                      sampling_rate=SAMPLING_RATE, seed=0, checkpoint=checkpoint)  # fmt: skip


def test_learns_what_video_shows_and_what_physiology_shows() -> None:
    features, fold = planted()
    scores = run(features, fold).scores.join(features, on="recording_id")
    assert scores.height == 2 * fold.filter(role="test").height
    for target in ("valence", "arousal"):
        rows = scores.filter(target=target)
        hits = rows["score"].to_numpy().round() == rows[f"{target}_label"].to_numpy()
        assert hits.mean() >= 0.9, target


def test_test_recordings_touch_nothing_that_is_fitted() -> None:
    features, fold = planted(n_subjects=8, trials=2)
    test = pl.col("recording_id").is_in(fold.filter(role="test")["recording_id"].to_list())
    other = features.with_columns(
        pl.when(test).then(pl.col("visual").list.eval(9 * pl.element() - 5)).otherwise("visual"),
        pl.when(test).then(1 - pl.col("valence_label")).otherwise("valence_label"),
    )
    a, b = run(features, fold, epochs=2), run(other, fold, epochs=2)
    assert a.history == b.history
    assert not a.scores.equals(b.scores)
    for name, value in a.model.state_dict().items():
        assert torch.equal(value, b.model.state_dict()[name]), name


def test_resumes_from_a_checkpoint(tmp_path: Path) -> None:
    features, fold = planted(n_subjects=8, trials=2)
    whole = run(features, fold, epochs=3)
    for epochs in (2, 3):
        resumed = run(features, fold, checkpoint=tmp_path / "fold.pt", epochs=epochs)
    assert resumed.history == whole.history
    assert resumed.scores.equals(whole.scores)


def test_step_at_the_size_of_the_paper() -> None:
    """2,799 frames x 42 and 19,904 samples x 2, of a batch of one."""
    paper = load_params().models["paper"].mvp
    lengths = Lengths.of(paper.max_seconds, fps=18.0, sampling_rate=128.0)
    model = MVP(paper, lengths)
    optimiser = torch.optim.AdamW(model.parameters(), lr=paper.learning_rate)
    before = model.head.weight.detach().clone()
    loss = label_loss(model, {**batch(1, lengths), "labels": torch.ones(1, 2)})
    torch.autograd.backward(loss)
    optimiser.step()
    assert loss.isfinite()
    assert not torch.equal(model.head.weight, before)
