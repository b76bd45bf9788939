"""Training on tokens: one run and two selections, no leaks, a kill is harmless."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from models.fusion import train_fold
from pipeline_lib.core.schema import ESTIMATES, REACTIONS, SELECTIONS, validate
from pipeline_lib.fusion import training
from pipeline_lib.fusion.tokens import Tokens
from pipeline_lib.fusion.training import Fused
from pipeline_lib.learning import splits
from tests.fusion_data import SYSTEMS, fold_of, recordings, small, withheld

NAN = float("nan")


def run(
    system: str = "viper",
    *,
    data: Any = None,
    fold: pl.DataFrame | None = None,
    layout: str = "hume_reaction",
    checkpoint: Path | None = None,
    **changes: Any,
) -> Fused:
    tokens, labels = data or recordings()
    fold = fold_of(tokens) if fold is None else fold
    return train_fold(
        tokens,
        withheld(labels, fold),
        fold,
        layout=layout,
        config=small(system, **changes),
        seed=0,
        checkpoint=checkpoint,
    )


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(x, b[name]) for name, x in a.items())


def correlation(table: pl.DataFrame) -> float:
    by_target = table.group_by("target").agg(pl.corr("value", "score"))
    return float(by_target["value"].mean())  # type: ignore[arg-type]


def test_estimates_of_both_selections_and_of_what_is_withheld() -> None:
    result = run()
    table = validate(result.estimates, ESTIMATES, "estimates")
    assert table["target"].unique(maintain_order=True).to_list() == list(REACTIONS)
    assert set(table["selection"]) == {"held_out", "reported"}
    counts = dict(table.group_by("role").len().rows())
    assert counts == {"test": 2 * 7 * 6, "withheld": 2 * 7 * 4}
    assert table.filter(role="withheld")["value"].null_count() == 2 * 7 * 4
    assert table.filter(role="test")["value"].null_count() == 0
    assert table["score"].is_finite().all()
    chosen = training.selections({0: result.history})
    assert validate(chosen, SELECTIONS, "selections").height == 2 * 4


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_system_learns_a_planted_problem(system: str) -> None:
    result = run(system, epochs=15, patience=15, learning_rate=1e-2)
    honest = result.estimates.filter(role="test", selection="held_out")
    assert correlation(honest) > 0.6


def test_each_selection_has_the_epoch_that_was_best_on_its_own_part() -> None:
    result = run(epochs=8, patience=8)
    table = training.selections({0: result.history})
    for name in ("held_out", "reported"):
        rows = table.filter(selection=name)
        best = rows.filter(pl.col("best"))["epoch"].max()
        assert best == rows.sort("pearson", "epoch", descending=[True, False])["epoch"][0]
    reported = result.estimates.filter(role="test", selection="reported")
    best_score = table.filter(selection="reported")["pearson"].max()
    assert correlation(reported) == pytest.approx(best_score, abs=1e-6)


def changed(tokens: Tokens, labels: Any, fold: pl.DataFrame, *roles: str) -> Any:
    """Other tokens and labels for recordings with these roles."""
    rows = fold["role"].is_in(roles).to_numpy()
    values, other = tokens.values.copy(), labels.copy()
    values[rows] = 50 - 3 * values[rows]
    other[rows] = 1 - other[rows] ** 2
    return Tokens(tokens.recording_ids, tokens.widths, values), other


def test_the_honest_model_knows_nothing_of_what_is_reported() -> None:
    """Patience is short enough that what is reported would make the run longer or shorter."""
    tokens, labels = recordings()
    fold = fold_of(tokens)
    one = run(data=(tokens, labels), epochs=12, patience=2)
    other = run(data=changed(tokens, labels, fold, "test", "withheld"), epochs=12, patience=2)
    assert same(one.weights["held_out"], other.weights["held_out"])
    assert "scale.mean" in one.weights["held_out"]


def test_the_scale_knows_training_recordings_alone() -> None:
    tokens, labels = recordings()
    fold = fold_of(tokens)
    data = changed(tokens, labels, fold, "validation", "test", "withheld")
    one, other = (run(data=d, epochs=1) for d in ((tokens, labels), data))
    for name in ("scale.mean", "scale.std", "scale.fill"):
        assert torch.equal(one.weights["held_out"][name], other.weights["held_out"][name])
    flawed = splits.with_flaws(fold, ["global_normalisation"])
    leaking = run(data=data, fold=flawed, epochs=1)
    assert not torch.equal(
        leaking.weights["held_out"]["scale.mean"], one.weights["held_out"]["scale.mean"]
    )


def test_what_is_missing_never_reaches_the_loss() -> None:
    tokens, labels = recordings()
    tokens.values[::3, 1] = NAN  # a whole frame
    tokens.values[1::3, :, :5] = NAN  # image
    tokens.values[:, :, 9] = NAN  # a value that nobody has
    tokens.values[2::3, 0, 10] = NAN
    result = run(data=(tokens, labels), standardise=False)
    assert np.isfinite([epoch.train_loss for epoch in result.history]).all()
    assert result.estimates["score"].is_finite().all()


def test_a_recording_without_any_token_is_left_out_with_a_reason() -> None:
    tokens, labels = recordings()
    tokens.values[[0, 33]] = NAN
    labels[1, 2] = NAN
    assert training.lacking(tokens, labels, REACTIONS) == {
        "00000": "no token of image, audio, fau",
        "00001": "no rating of Anxiety",
        "00033": "no token of image, audio, fau",
    }
    assert "00033" not in set(run(data=(tokens, labels)).estimates["recording_id"])


def test_a_model_that_hides_inputs_in_training_predicts_with_any_subset() -> None:
    """Only image shows the first five targets, and only it is there in the test."""
    tokens, labels = recordings(60)
    fold = fold_of(tokens, train=40, validation=10, test=10)
    tokens.values[50:, :, 5:] = NAN
    result = run(
        data=(tokens, labels), fold=fold, epochs=30, patience=30, modality_dropout=0.3,
        learning_rate=1e-2,
    )  # fmt: skip
    table = result.estimates.filter(pl.col("target").is_in(REACTIONS[:5]), selection="held_out")
    assert correlation(table) > 0.6


def test_same_seed_same_weights() -> None:
    one, other = run(), run()
    assert all(same(one.weights[name], other.weights[name]) for name in one.weights)
    assert one.estimates.equals(other.estimates)


def test_a_killed_run_goes_on_as_if_nothing_had_been(tmp_path: Path) -> None:
    """Killed in its third epoch by a loss that does it; the schedule halves the rate meanwhile."""
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from pipeline_lib.fusion import training\n"
        "from pipeline_lib.learning import training as loop\n"
        "from tests.test_fusion_training import run\n"
        "loss, steps = training.squared_loss, []\n"
        "def dying(model, batch):\n"
        "    steps.append(model.training)\n"
        "    if sum(steps) == 8:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return loss(model, batch)\n"
        "training.squared_loss = dying\n"
        "loop.CHECKPOINT_EVERY = 0  # after every epoch\n"
        "run('early', checkpoint=Path(sys.argv[1]), epochs=5, patience=5, halve_every=1)\n"
    )
    checkpoint = tmp_path / "fold.pt"
    done = subprocess.run(
        [sys.executable, "-c", script, str(checkpoint)], env={**os.environ, "PYTHONPATH": "."}
    )
    assert done.returncode == -signal.SIGKILL
    assert checkpoint.exists()
    settings: dict[str, Any] = {"epochs": 5, "patience": 5, "halve_every": 1}
    resumed, whole = run("early", checkpoint=checkpoint, **settings), run("early", **settings)
    assert [e.train_loss for e in resumed.history] == [e.train_loss for e in whole.history]
    assert all(same(resumed.weights[name], whole.weights[name]) for name in whole.weights)


def test_on_valence_and_arousal_of_another_set() -> None:
    """Ratings from 1 to 9; targets that MVP has."""
    tokens, labels = recordings()
    fold = fold_of(tokens, train=24, validation=8, test=8)
    result = run(data=(tokens, 1 + 8 * labels[:, :2]), fold=fold, layout="deap")
    assert set(result.estimates["target"]) == {"valence", "arousal"}
    assert result.estimates["value"].is_between(0, 1).all()
    assert result.estimates.filter(role="withheld").is_empty()
