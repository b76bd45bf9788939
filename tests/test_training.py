"""The training loop on a problem of four numbers."""

import os
import pickle
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import polars as pl
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from pipeline_lib.learning import training
from pipeline_lib.learning.training import (
    Batch,
    Epoch,
    NothingToTest,
    TrainingError,
    by_role,
    constant,
    fit,
    fit_by,
    halving,
    label_loss,
    loading,
    one_behind,
    precision,
    probabilities,
    score_table,
    warmup_cosine,
)


class Points(Dataset[Batch]):
    """Points (4,) whose first two coordinates' signs are the labels."""

    def __init__(self, n: int, seed: int, *, scale: float = 1.0) -> None:
        self.x = scale * torch.randn(n, 4, generator=torch.Generator().manual_seed(seed))

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, i: int) -> Batch:
        return {"input": self.x[i], "labels": (self.x[i, :2] > 0).float()}


def make_model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 2))


def train(
    *,
    checkpoint: Path | None = None,
    die_at_step: int | None = None,
    learning_rate: float = 0.02,
    epochs: int = 6,
    patience: int = 6,
    seed: int = 0,
    scale: float = 1.0,
) -> tuple[nn.Module, list[Epoch]]:
    """64 points in batches of 10, so that the last batch is a short one."""
    steps = 0

    def loss(model: nn.Module, batch: Batch) -> Tensor:
        nonlocal steps
        steps += model.training
        if steps == die_at_step:
            os.kill(os.getpid(), signal.SIGKILL)
        return label_loss(model, batch)

    model = make_model()
    history = fit(
        model,
        loss,
        Points(64, seed=1, scale=scale),
        Points(32, seed=2),
        optimiser=torch.optim.AdamW(model.parameters(), lr=learning_rate),
        schedule=warmup_cosine(warmup=1, epochs=epochs),
        epochs=epochs,
        batch_size=10,
        patience=patience,
        seed=seed,
        checkpoint=checkpoint,
    )
    return model, list(history)


def assert_same_weights(a: nn.Module, b: nn.Module) -> None:
    for name, value in a.state_dict().items():
        assert torch.equal(value, b.state_dict()[name]), name


def test_learns_and_predicts() -> None:
    model, history = train(epochs=20, patience=20)
    assert history[-1].train_loss < 0.5 * history[0].train_loss
    points = Points(200, seed=3)
    scores = probabilities(model, points, batch_size=64)
    assert ((scores > 0.5) == (points.x[:, :2] > 0).numpy()).mean() > 0.9
    copy = pickle.loads(pickle.dumps(model))  # as it comes back from another process
    assert (probabilities(copy, points, batch_size=64) == scores).all()


def test_same_seed_same_weights() -> None:
    assert_same_weights(train()[0], train()[0])
    with pytest.raises(AssertionError):
        assert_same_weights(train()[0], train(seed=1)[0])


def test_killed_run_resumes_to_the_same_weights(tmp_path: Path) -> None:
    checkpoint = tmp_path / "model.pt"
    script = (
        "import pathlib, test_training\n"
        "from pipeline_lib.learning import training\n"
        "training.CHECKPOINT_EVERY = 0  # after every epoch\n"
        f"test_training.train(checkpoint=pathlib.Path({str(checkpoint)!r}), die_at_step=24)\n"
    )
    here = Path(__file__).parent
    child = subprocess.run(
        [sys.executable, "-c", script], cwd=here, env={**os.environ, "PYTHONPATH": str(here.parent)}
    )
    assert child.returncode == -signal.SIGKILL
    assert len(torch.load(checkpoint)["history"]) == 3  # it died in the fourth epoch

    resumed, history = train(checkpoint=checkpoint)
    undisturbed, expected = train()
    assert history == expected
    assert_same_weights(resumed, undisturbed)


def test_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    first, history = train(checkpoint=tmp_path / "model.pt")
    again, same = train(checkpoint=tmp_path / "model.pt", die_at_step=1)
    assert same == history
    assert_same_weights(first, again)


def test_ends_with_the_weights_of_the_best_epoch() -> None:
    model, history = train(learning_rate=0.5, epochs=8, patience=8)
    best = min(history, key=lambda epoch: epoch.validation_loss or 0.0)
    assert best.number < len(history)
    assert best == [epoch for epoch in history if epoch.best][-1]
    model.eval()
    points = Points(32, seed=2)
    loss = label_loss(model, {"input": points.x, "labels": (points.x[:, :2] > 0).float()})
    assert loss.item() == pytest.approx(best.validation_loss)


def test_stops_when_patience_is_exhausted() -> None:
    _, history = train(learning_rate=0.0, epochs=20, patience=3)
    assert [epoch.best for epoch in history] == [True, False, False, False]


def test_without_validation_the_last_epoch_counts() -> None:
    model = make_model()
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.01)
    history = list(
        fit(model, label_loss, Points(8, seed=0), None, optimiser=optimiser, epochs=3,
            batch_size=4, patience=1, seed=0, checkpoint=None)
    )  # fmt: skip
    assert [(epoch.best, epoch.validation_loss) for epoch in history] == [(True, None)] * 3


@pytest.mark.parametrize(
    ("device", "cores", "decoded", "workers"),
    [("cpu", 8, True, 0), ("cuda", 8, False, 0), ("cuda", 4, True, 3), ("cuda", 64, True, 8)],
)
def test_workers_decode_for_a_gpu_alone(
    device: str, cores: int, decoded: bool, workers: int
) -> None:
    how = loading(device, cores=cores, decoded=decoded)
    assert how.get("num_workers", 0) == workers
    assert how.get("pin_memory", False) == how.get("persistent_workers", False) == (workers > 0)


@pytest.mark.parametrize(
    ("asked", "device", "bf16", "chosen"),
    [
        (None, "cuda", True, "bf16"),
        (None, "cuda", False, None),
        (None, "cpu", True, None),
        ("no", "cuda", True, None),
        ("fp16", "cuda", True, None),
    ],
)
def test_a_gpu_computes_in_bf16_unless_told_otherwise(
    asked: str | None, device: str, bf16: bool, chosen: str | None
) -> None:
    assert precision(asked, device=device, bf16=bf16) == chosen


def test_a_loss_is_asked_for_when_the_next_step_is_under_way() -> None:
    made: list[int] = []
    steps = (made.append(i) or i for i in range(3))  # type: ignore[func-returns-value]
    assert [(i, len(made)) for i in one_behind(steps)] == [(0, 2), (1, 3), (2, 3)]


def test_worker_processes_change_no_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a GPU would be given, on the CPU: one worker for all epochs, in the same order."""
    alone, history = train(epochs=2)
    arguments = loading("cuda", cores=2, decoded=True) | {
        "pin_memory": False,
        "multiprocessing_context": "fork",  # in no time
    }
    monkeypatch.setattr(training, "loading", lambda *_, **__: arguments)
    served, same = train(epochs=2)
    assert same == history
    assert_same_weights(alone, served)


def test_infinite_loss_says_where_and_at_what_rate() -> None:
    with pytest.raises(TrainingError, match=r"epoch 1, batch 1 of 7: the loss is nan.*rate 0"):
        train(scale=float("nan"))


@pytest.mark.parametrize(
    ("epoch", "factor"), [(0.0, 0.0), (1.0, 0.5), (2.0, 1.0), (6.0, 0.5), (10.0, 0.0)]
)
def test_warmup_cosine(epoch: float, factor: float) -> None:
    assert warmup_cosine(warmup=2, epochs=10)(epoch) == pytest.approx(factor)
    assert constant(epoch) == 1.0


def test_by_role_refuses_a_role_without_recordings() -> None:
    fold = pl.DataFrame({"fold": [3, 3], "recording_id": ["a", "b"], "role": ["train", "test"]})
    with pytest.raises(TrainingError, match=r"fold \[3\].*role validation"):
        by_role(pl.DataFrame({"recording_id": ["a", "b"]}), fold, {})


def test_by_role_says_what_its_recordings_lack() -> None:
    roles = ["train", "train", "train", "validation", "test"]
    fold = pl.DataFrame({"fold": [3] * 5, "recording_id": [*"abcde"], "role": roles})
    lacking = {"a": "no video", "b": "no EDA", "c": "no video", "d": "no heart"}
    said = r"none of the 3 recordings with role train \(2 have no video, 1 have no EDA\)"
    with pytest.raises(TrainingError, match=said):
        by_role(pl.DataFrame({"recording_id": ["e"]}), fold, lacking)


def test_score_table_names_targets() -> None:
    table = score_table(["a", "b"], probabilities(nn.Linear(4, 2), Points(2, seed=0), batch_size=2))
    assert table.select("recording_id", "target").rows() == [
        ("a", "valence"), ("b", "valence"), ("a", "arousal"), ("b", "arousal")
    ]  # fmt: skip


def test_by_role_tells_a_fold_with_nothing_to_test_from_one_without_training() -> None:
    roles = ["train", "validation", "test"]
    fold = pl.DataFrame({"fold": [3] * 3, "recording_id": [*"abc"], "role": roles})
    with pytest.raises(NothingToTest, match=r"role test \(1 have no video\)"):
        by_role(pl.DataFrame({"recording_id": ["a", "b"]}), fold, {"c": "no video"})
    with pytest.raises(TrainingError) as error:
        by_role(pl.DataFrame({"recording_id": ["b", "c"]}), fold, {"a": "no video"})
    assert not isinstance(error.value, NothingToTest)


def test_each_criterion_chooses_alone_and_stops_alone() -> None:
    """One finds nothing for two epochs and would in the fourth; the other finds more each time."""
    said = {"short": iter([1.0, 0.0, 0.0, 9.0, 9.0]), "long": iter([1.0, 2.0, 3.0, 4.0, 5.0])}
    weights: list[dict[str, Tensor]] = []

    def asked(name: str, model: nn.Module) -> float:
        if name == "long":
            weights.append({key: x.clone() for key, x in model.state_dict().items()})
        return next(said[name])

    model = make_model()
    history, best = fit_by(
        model,
        label_loss,
        Points(64, seed=1),
        Points(32, seed=2),
        criteria={name: partial(asked, name) for name in said},
        optimiser=torch.optim.AdamW(model.parameters(), lr=0.02),
        epochs=5,
        batch_size=10,
        patience=2,
        seed=0,
        checkpoint=None,
    )
    assert [sorted(epoch.scores) for epoch in history] == 3 * [["long", "short"]] + 2 * [["long"]]
    assert [epoch.best for epoch in history] == [True, False, False, False, False]
    for name, expected in (("short", weights[0]), ("long", weights[4])):
        assert all(torch.equal(x, best[name][key]) for key, x in expected.items())
    assert all(torch.equal(x, weights[0][key]) for key, x in model.state_dict().items())


def test_the_rate_halves_every_so_many_epochs() -> None:
    assert [halving(every=10)(epoch) for epoch in (0, 9.9, 10, 25)] == [1, 1, 0.5, 0.25]
