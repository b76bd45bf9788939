"""The one training loop: epochs, early stopping, checkpoints and resuming; no other IO.

Each epoch draws its batches, and seeds torch, from (seed, epoch) alone. A run that was killed and
resumed therefore ends with the very weights of one that was never disturbed.
"""

import logging
import math
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader, Dataset, Sampler, default_collate

from pipeline_lib.core import schema, seeds, tables
from pipeline_lib.learning import splits

Floats = npt.NDArray[np.float64]
Batch = dict[str, Tensor]  # first axis of each: items; "labels" holds the targets, if any
Loss = Callable[[nn.Module, Batch], Tensor]
Weights = dict[str, Tensor]  # a model's state
Criterion = Callable[[nn.Module], float]  # of the model as it is; the higher the better
Schedule = Callable[[float], float]  # epochs done, with fraction -> factor of the learning rate

# s of training that a kill may cost. A small model's epoch takes less time than to write it down.
CHECKPOINT_EVERY = 5.0
MOST_WORKERS = 8  # processes that decode for one GPU

T = TypeVar("T")

log = logging.getLogger(__name__)


class TrainingError(RuntimeError):
    """Training cannot start or go on; the message says what to change."""


class NothingToTest(TrainingError):
    """A system can use none of the test recordings of a fold, so there is nothing to train for."""


class Items(Dataset[Batch]):
    """Labelled items, each of one recording: a whole trial, or one of its clips."""

    recording_ids: list[str]


def loading(device: str, *, cores: int, decoded: bool) -> dict[str, Any]:
    """DataLoader's arguments: worker processes where a GPU would wait for pictures to be decoded.

    device  : cpu | cuda | another of torch's
    cores   : that this process may use
    decoded : whether items are made when asked for; others are in memory, and need no worker
    """
    if device != "cuda" or not decoded:
        return {}
    return {
        "num_workers": max(1, min(cores - 1, MOST_WORKERS)),
        "persistent_workers": True,
        "pin_memory": True,
        "multiprocessing_context": "spawn",  # neither CUDA nor polars outlives a fork
    }


def precision(asked: str | None, *, device: str, bf16: bool) -> str | None:
    """accelerate's mixed precision; None: as ACCELERATE_MIXED_PRECISION says, else none.

    asked : that variable
    bf16  : whether the device computes in it
    """
    return "bf16" if asked is None and device == "cuda" and bf16 else None


class Recipe(Protocol):
    """What a section of params.yaml says of training; see `fit`."""

    @property
    def epochs(self) -> int: ...
    @property
    def batch_size(self) -> int: ...
    @property
    def patience(self) -> int: ...


@dataclass(frozen=True)
class Epoch:
    """What one pass over the training data came to; losses are means over items."""

    number: int  # from 1
    train_loss: float
    validation_loss: float | None  # None: nothing to validate on
    best: bool  # the model's weights after this epoch are the best so far
    scores: Mapping[str, float] = field(default_factory=dict)  # by criterion, of those still asked


@dataclass(frozen=True)
class FoldResult:
    """A system trained on one fold."""

    scores: pl.DataFrame  # recording_id, target, score: one row a test recording and target
    history: list[Epoch]
    model: nn.Module  # with the weights of the best epoch
    example: Batch  # two test items as the model takes them, which show its signature
    degraded: pl.DataFrame | None = None  # scores with modality and share, see degradation.scores


def constant(epoch: float) -> float:
    return 1.0


def warmup_cosine(*, warmup: int, epochs: int) -> Schedule:
    """Linear from 0 to 1 over `warmup` epochs, then half a cosine down to 0 at `epochs`."""

    def factor(epoch: float) -> float:
        if epoch < warmup:
            return epoch / warmup
        return 0.5 * (1 + math.cos(math.pi * (epoch - warmup) / max(epochs - warmup, 1)))

    return factor


def halving(*, every: int) -> Schedule:
    """1 for `every` epochs, then half of it for as many, and so on."""
    return lambda epoch: 0.5 ** (epoch // every)


def label_loss(model: nn.Module, batch: Batch) -> Tensor:
    """Mean binary cross-entropy of the model's logits (B, n_outputs) with batch["labels"]."""
    logits: Tensor = model(**_inputs(batch))
    return binary_cross_entropy_with_logits(logits, batch["labels"])


def squared_loss(model: nn.Module, batch: Batch) -> Tensor:
    """Mean squared error of the model's outputs (B, n_outputs) and batch["labels"]."""
    outputs: Tensor = model(**_inputs(batch))
    return mse_loss(outputs, batch["labels"])


def fit(
    model: nn.Module,
    loss: Loss,
    train: Dataset[Batch],
    validation: Dataset[Batch] | None,
    *,
    optimiser: Optimizer,
    schedule: Schedule = constant,
    epochs: int,
    batch_size: int,
    patience: int,
    seed: int,
    checkpoint: Path | None,
) -> Iterator[Epoch]:
    """Train `model` in place and yield after every epoch; it ends with its best weights.

    validation : its mean loss chooses the best epoch; None: every epoch counts as better
    patience   : epochs without a better validation loss before training stops
    checkpoint : written at the end and, CHECKPOINT_EVERY seconds after the last time, with an
                 epoch; resumed from if it is there: then its epochs are yielded first. Name it
                 after all that the run depends on (data, params, code): nothing inside tells one
                 run's file from another's

    Device and precision are accelerate's: a GPU if there is one, `precision`.
    Raises TrainingError when a loss is not finite.
    """
    n_batches = math.ceil(_size(train) / batch_size)
    run = _Run(model, loss, optimiser, lambda step: schedule(step / n_batches), checkpoint)
    yield from tuple(run.history)
    loaders = _loaders(train, validation, batch_size)
    while len(run.history) < epochs and not _exhausted(run.history, patience):
        epoch = run.advance(*loaders, seed=seed)
        log.info("%s, of at most %d", epoch, epochs)
        yield epoch
    run.finish()


def fit_by(
    model: nn.Module,
    loss: Loss,
    train: Dataset[Batch],
    validation: Dataset[Batch] | None,
    *,
    criteria: Mapping[str, Criterion],
    optimiser: Optimizer,
    schedule: Schedule = constant,
    epochs: int,
    batch_size: int,
    patience: int,
    seed: int,
    checkpoint: Path | None,
) -> tuple[list[Epoch], dict[str, Weights]]:
    """As `fit`, but each criterion chooses its own epoch of the one run: criterion -> weights.

    Each stops choosing after `patience` epochs without a better score, as if it were alone, so
    what one of them sees changes nothing for another. The first one is that of `Epoch.best` and
    of the weights that the model ends with.
    """
    n_batches = math.ceil(_size(train) / batch_size)
    run = _Run(
        model, loss, optimiser, lambda step: schedule(step / n_batches), checkpoint, criteria
    )
    loaders = _loaders(train, validation, batch_size)
    while len(run.history) < epochs and run.asked(patience):
        epoch = run.advance(*loaders, seed=seed, asked=run.asked(patience))
        log.info("%s, of at most %d", epoch, epochs)
    run.finish()
    return run.history, run.best_by


def fit_fold(
    model: nn.Module,
    data: Mapping[str, Items],
    *,
    optimiser: Optimizer,
    recipe: Recipe,
    schedule: Schedule = constant,
    seed: int,
    checkpoint: Path | None,
) -> FoldResult:
    """Train on the role `train`, stop by `validation`, predict `test`.

    A recording's score is the mean probability over its items.
    """
    history = list(
        fit(
            model,
            label_loss,
            data["train"],
            data["validation"],
            optimiser=optimiser,
            schedule=schedule,
            epochs=recipe.epochs,
            batch_size=recipe.batch_size,
            patience=recipe.patience,
            seed=seed,
            checkpoint=checkpoint,
        )
    )
    scores = recording_scores(model, data["test"], batch_size=recipe.batch_size)
    return FoldResult(scores, history, model, example(data["test"]))


def recording_scores(model: nn.Module, data: Items, *, batch_size: int) -> pl.DataFrame:
    """recording_id, target, score: the mean probability over a recording's items."""
    of_items = score_table(data.recording_ids, probabilities(model, data, batch_size=batch_size))
    return of_items.group_by("recording_id", "target", maintain_order=True).mean()


def probabilities(model: nn.Module, data: Dataset[Batch], *, batch_size: int) -> Floats:
    """The model's probabilities (n_items, n_outputs), in the order of the data."""
    scores: Floats = outputs(model, data, batch_size=batch_size).sigmoid().numpy()
    return scores


def outputs(model: nn.Module, data: Dataset[Batch], *, batch_size: int) -> Tensor:
    """What the model says (n_items, n_outputs), in double precision, in the order of the data."""
    device = next(model.parameters()).device
    model.eval()
    with torch.inference_mode():
        batches = (_to(batch, device) for batch in _loader(data, batch_size))
        return torch.cat([model(**_inputs(batch)).double().cpu() for batch in batches])


def example(data: Dataset[Batch]) -> Batch:
    """The inputs of the first two items, as one batch."""
    return _inputs(next(iter(_loader(data, 2))))


def by_role(
    table: pl.DataFrame, fold: pl.DataFrame, lacking: Mapping[str, str]
) -> dict[str, pl.DataFrame]:
    """The rows of each role in the fold.

    table   : one row a recording that the system can use
    fold    : schema.FOLDS, the rows of one fold
    lacking : recording_id -> what the others lack

    Raises TrainingError if a role has no rows: NothingToTest if it is that of the test alone.
    """
    served = {role: fold.filter(role=role) for role in splits.ROLES}
    if splits.EPOCH in splits.flaws_of(fold):  # flaw, on request
        served["validation"] = fold.filter(role=splits.EPOCH)
    roles = {role: table.join(rows, on="recording_id", how="semi") for role, rows in served.items()}
    for role, rows in roles.items():
        if rows.is_empty():
            names = fold.filter(role=role)["recording_id"]
            reasons = Counter(lacking[name] for name in names if name in lacking)
            told = ", ".join(f"{n} have {reason}" for reason, n in reasons.most_common())
            error = NothingToTest if role == "test" else TrainingError
            raise error(
                f"fold {fold['fold'].unique().to_list()}: this system can use none of the "
                f"{len(names)} recordings with role {role} ({told or 'nobody has it'}); leave it "
                "out of `systems` in params.yaml, or take fewer splits.folds"
            )
    return roles


def score_table(recording_ids: Sequence[str], scores: Floats) -> pl.DataFrame:
    """Scores (n_items, 2), columns as TARGETS, as rows recording_id, target, score."""
    columns = {target: scores[:, i] for i, target in enumerate(schema.TARGETS)}
    table = pl.DataFrame({"recording_id": recording_ids, **columns})
    return table.unpivot(index="recording_id", variable_name="target", value_name="score")


class _Run:
    """A model on its way: what a checkpoint holds, and the step from one epoch to the next."""

    def __init__(
        self,
        model: nn.Module,
        loss: Loss,
        optimiser: Optimizer,
        factor: Callable[[int], float],
        checkpoint: Path | None,
        criteria: Mapping[str, Criterion] | None = None,
    ) -> None:
        from accelerate import Accelerator

        device = "cuda" if torch.cuda.is_available() else "cpu"
        asked = os.environ.get("ACCELERATE_MIXED_PRECISION")
        bf16 = device == "cuda" and torch.cuda.is_bf16_supported()
        self.accelerator = Accelerator(mixed_precision=precision(asked, device=device, bf16=bf16))
        self.loss = loss
        self.optimiser = optimiser
        self.scheduler = LambdaLR(optimiser, factor)
        self.model, self.stepper = self.accelerator.prepare(model, optimiser)
        self.criteria = dict(criteria or {})
        self.history: list[Epoch] = []
        self.best: Weights = {}
        self.best_by: dict[str, Weights] = {}
        self.checkpoint = checkpoint
        if checkpoint is not None and checkpoint.exists():
            self._load(checkpoint)
        self.saved, self.saved_at = len(self.history), time.monotonic()

    def advance(
        self,
        train: DataLoader[Batch],
        validation: DataLoader[Batch] | None,
        *,
        seed: int,
        asked: Sequence[str] = (),
    ) -> Epoch:
        """Train for one epoch, validate, remember the weights if they are the best; save if due.

        asked : the criteria that still choose
        """
        number = len(self.history) + 1
        torch.manual_seed(seeds.derive(seed, number))  # dropout and masks
        assert isinstance(train.sampler, Order)  # `_loaders` gives it one
        train.sampler.seed = seeds.derive(seed, number)
        train_loss = self._train(train, number)
        validation_loss = None
        if validation is not None:
            validation_loss = self._validate(validation)
        scores = {name: self.criteria[name](self.model) for name in asked}
        better = [name for name in asked if scores[name] > self._best_score(name)]
        for name in better:
            self.best_by[name] = self._weights()
        if self.criteria:
            best = next(iter(self.criteria)) in better
        else:
            best = _is_best(validation_loss, self.history)
            self.best = self._weights() if best else self.best
        epoch = Epoch(number, train_loss, validation_loss, best, scores)
        self.history.append(epoch)
        if time.monotonic() - self.saved_at >= CHECKPOINT_EVERY:
            self._save()
        return epoch

    def asked(self, patience: int) -> list[str]:
        """The criteria that have found something better in the last `patience` epochs."""
        return [
            name
            for name in self.criteria
            if len(self.history) - bests(self.history, name)[-1] < patience
        ]

    def _best_score(self, name: str) -> float:
        return max((epoch.scores.get(name, -math.inf) for epoch in self.history), default=-math.inf)

    def _weights(self) -> Weights:
        return {name: x.detach().clone() for name, x in self.model.state_dict().items()}

    def _train(self, batches: DataLoader[Batch], number: int) -> float:
        self.model.train()
        total = 0.0
        # To ask a GPU for the loss is to wait for it: so when the next step is already under way.
        for i, (value, rate, n_items) in enumerate(one_behind(self._steps(batches)), start=1):
            loss = value.item()
            if not math.isfinite(loss):
                raise TrainingError(
                    f"epoch {number}, batch {i} of {len(batches)}: the loss is {loss} at "
                    f"learning rate {rate:.3g}; lower learning_rate, "
                    f"or look for NaN and infinity in the data"
                )
            total += loss * n_items
        return total / _size(batches.dataset)

    def _steps(self, batches: DataLoader[Batch]) -> Iterator[tuple[Tensor, float, int]]:
        """Take a step a batch; its loss, at which learning rate, and of how many items."""
        for batch in batches:
            rate = float(self.scheduler.get_last_lr()[-1])
            value = self.loss(self.model, _to(batch, self.accelerator.device))
            self.accelerator.backward(value)
            self.stepper.step()
            self.stepper.zero_grad()
            self.scheduler.step()
            yield value.detach(), rate, _n_items(batch)

    def _validate(self, batches: DataLoader[Batch]) -> float:
        self.model.eval()
        total = 0.0
        with torch.inference_mode():
            for batch in batches:
                value = self.loss(self.model, _to(batch, self.accelerator.device))
                total += value.item() * _n_items(batch)
        return total / _size(batches.dataset)

    def _save(self) -> None:
        """Write all that going on needs; a kill leaves the old file or the new one, whole."""
        if self.checkpoint is None or self.saved == len(self.history):
            return
        state = {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "best": self.best,
            "best_by": self.best_by,
            "history": [asdict(epoch) for epoch in self.history],
        }
        tables.atomic_write(self.checkpoint, lambda file: torch.save(state, file))
        self.saved, self.saved_at = len(self.history), time.monotonic()

    def _load(self, path: Path) -> None:
        state = torch.load(path, map_location=self.accelerator.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.scheduler.load_state_dict(state["scheduler"])
        self.best = state["best"]
        self.best_by = state["best_by"]
        self.history = [Epoch(**epoch) for epoch in state["history"]]

    def finish(self) -> None:
        """Save, put the best weights into the model and take accelerate's wrapping off it."""
        self._save()
        best = self.best_by[next(iter(self.criteria))] if self.criteria else self.best
        self.model.load_state_dict(best)
        self.accelerator.unwrap_model(self.model, keep_fp32_wrapper=False)


def _is_best(validation_loss: float | None, history: list[Epoch]) -> bool:
    earlier = [epoch.validation_loss for epoch in history if epoch.validation_loss is not None]
    return validation_loss is None or validation_loss < min(earlier, default=math.inf)


def bests(history: Sequence[Epoch], criterion: str) -> list[int]:
    """0, then the numbers of the epochs that were better by a criterion than all before."""
    found, best = [0], -math.inf
    for epoch in history:
        if (score := epoch.scores.get(criterion, -math.inf)) > best:
            best = score
            found.append(epoch.number)
    return found


def _exhausted(history: list[Epoch], patience: int) -> bool:
    """Whether the last `patience` epochs brought nothing better."""
    return len(history) >= patience and not any(epoch.best for epoch in history[-patience:])


def one_behind(values: Iterable[T]) -> Iterator[T]:
    """The same values, each when the next one has been made."""
    waiting: list[T] = []
    for value in values:
        yield from waiting
        waiting = [value]
    yield from waiting


class Order(Sampler[int]):
    """Random, by the seed alone: whoever loads, and however often the run was resumed."""

    def __init__(self, n: int) -> None:
        self.n, self.seed = n, 0

    def __len__(self) -> int:
        return self.n

    def __iter__(self) -> Iterator[int]:
        order = torch.Generator().manual_seed(self.seed)
        torch.empty((), dtype=torch.int64).random_(generator=order)  # DataLoader's own first draw
        return iter(torch.randperm(self.n, generator=order).tolist())


def _loaders(
    train: Dataset[Batch], validation: Dataset[Batch] | None, batch_size: int
) -> tuple[DataLoader[Batch], DataLoader[Batch] | None]:
    """Of all epochs, so that workers last; each epoch seeds the order of the first one."""
    checked = None if validation is None else _loader(validation, batch_size)
    return _loader(train, batch_size, Order(_size(train))), checked


def _loader(data: Dataset[Batch], batch_size: int, order: Order | None = None) -> DataLoader[Batch]:
    """Batches in random order, if one is given; data that give whole batches are not collated."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    decoded = not hasattr(data, "__getitems__")  # those in memory pick whole batches out of it
    how = loading(device, cores=len(os.sched_getaffinity(0)), decoded=decoded)
    own = None if order is None else torch.Generator()  # else it would draw from that of dropout
    return DataLoader(data, batch_size, sampler=order, generator=own, collate_fn=_collate, **how)


def _collate(items: Batch | list[Batch]) -> Batch:
    if isinstance(items, dict):
        return items
    batch: Batch = default_collate(items)
    return batch


def _inputs(batch: Batch) -> Batch:
    return {name: x for name, x in batch.items() if name != "labels"}


def _to(batch: Batch, device: torch.device) -> Batch:
    return {name: x.to(device, non_blocking=True) for name, x in batch.items()}


def _n_items(batch: Batch) -> int:
    return len(next(iter(batch.values())))


def _size(data: Dataset[Batch]) -> int:
    return len(cast(Sized, data))  # torch's Dataset does not promise a length; ours have one
