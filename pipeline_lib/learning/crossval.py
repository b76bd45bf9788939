"""Train a system on every fold and join what it predicts for the recordings left out."""

import contextlib
import hashlib
import logging
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import polars as pl

from pipeline_lib.core import parallel, paths, tables
from pipeline_lib.core.imports import fingerprint
from pipeline_lib.core.schema import DEGRADED, HISTORY, LEDGER, PREDICTIONS, targets_of, validate
from pipeline_lib.params import Execution

if TYPE_CHECKING:
    from pipeline_lib.core.tracking import Run
    from pipeline_lib.learning.training import Epoch, FoldResult, NothingToTest

log = logging.getLogger(__name__)

Out = TypeVar("Out")
Number = TypeVar("Number", int, int | None)


def run(
    train_fold: Callable[..., Out],
    folds: pl.DataFrame,
    *,
    checkpoints: Path,
    execution: Execution,
    label: str,
) -> dict[int, Out]:
    """Train all folds, `execution.folds` at once on the CPU, one after the other on a GPU.

    train_fold  : (rows of schema.FOLDS of one fold, checkpoint=file) -> result
    checkpoints : folder that outlives a kill; the next run goes on from there

    A fold that has NothingToTest is left out, as when the one subject of a fold of `loso` has no
    video; `ledger` says what its recordings lack. Raises NothingToTest if all folds are such.
    """
    from pipeline_lib.learning.training import NothingToTest

    numbers = sorted(folds["fold"].unique())
    work = partial(_train, train_fold=train_fold, folds=folds)
    done = side_by_side(work, numbers, checkpoints=checkpoints, execution=execution, label=label)
    reasons = {n: found for n, found in done.items() if isinstance(found, NothingToTest)}
    for reason in reasons.values():
        log.warning("%s: left out: %s", label, reason)
    if len(reasons) == len(numbers):
        raise reasons[numbers[0]]
    return {n: found for n, found in done.items() if not isinstance(found, NothingToTest)}


def side_by_side(
    work: Callable[..., Out],
    numbers: Iterable[Number],
    *,
    checkpoints: Path,
    execution: Execution,
    label: str,
) -> dict[Number, Out]:
    """As `run`, for work that takes (number of the fold, checkpoint=file)."""
    import torch

    numbers = list(numbers)
    # A process of its own imports torch first, so a single fold has none.
    jobs = 1 if torch.cuda.is_available() or len(numbers) == 1 else execution.folds
    with _one_thread():
        done = parallel.run(
            partial(_resumable, work=work, checkpoints=checkpoints),
            numbers,
            execution=execution.model_copy(update={"jobs": jobs}),
            label=label,
        )
        found = dict(done)
    return {number: found[number] for number in numbers}


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """As in worker processes: sums in another order would be other numbers on more cores."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _resumable(
    number: Number, *, work: Callable[..., Out], checkpoints: Path
) -> tuple[Number, Out]:
    return number, work(number, checkpoint=paths.fold(checkpoints, number).with_suffix(".pt"))


def _train(
    number: int, *, train_fold: Callable[..., Out], folds: pl.DataFrame, checkpoint: Path
) -> "Out | NothingToTest":
    from pipeline_lib.learning.training import NothingToTest

    try:
        return train_fold(folds.filter(pl.col("fold") == number), checkpoint=checkpoint)
    except NothingToTest as reason:
        return reason


def predictions(
    scores: Mapping[int, pl.DataFrame], folds: pl.DataFrame, labels: pl.DataFrame
) -> pl.DataFrame:
    """Out-of-fold predictions with their labels; schema.PREDICTIONS.

    scores : fold -> recording_id, target, score of its test recordings
    labels : recording_id, and <target>_label of each target
    Raises ValueError if a score is for a recording that the fold does not test.
    """
    tested = folds.filter(pl.col("role") == "test").select("fold", "recording_id", "subject")
    scored = pl.concat(
        table.with_columns(pl.lit(fold, pl.Int32).alias("fold")) for fold, table in scores.items()
    )
    joined = scored.join(tested, on=["fold", "recording_id"], how="left", validate="m:1")
    if joined["subject"].null_count():
        strangers = joined.filter(pl.col("subject").is_null())["recording_id"].to_list()
        raise ValueError(f"scores of recordings that their fold does not test: {strangers[:5]}")
    known = labels.select(
        "recording_id", *(pl.col(f"{t}_label").cast(pl.Int8).alias(t) for t in targets_of(labels))
    ).unpivot(index="recording_id", variable_name="target", value_name="label")
    table = joined.join(known, on=["recording_id", "target"], how="left", validate="m:1")
    return validate(
        table.select(list(PREDICTIONS)).sort("target", "recording_id", "fold"),
        PREDICTIONS,
        "predictions",
    )


def history(epochs: Mapping[Number, Sequence["Epoch"]]) -> pl.DataFrame:
    """Losses by fold (null: one model for all) and epoch; schema.HISTORY."""
    rows = [
        {"fold": fold, "epoch": e["number"], **{k: v for k, v in e.items() if k != "number"}}
        for fold, passed in epochs.items()
        for e in map(asdict, passed)
    ]
    return pl.DataFrame(rows, schema=dict(HISTORY))


def log_results(run: "Run", results: Mapping[int, "FoldResult"]) -> None:
    """Give each fold a run of its own with its curves and its model."""
    for number, result in results.items():
        with run.fold(number) as child:
            log_curves(child, result.history)
            child.model(result.model, result.example)


def write_history(out: Path, epochs: Mapping[int | None, Sequence["Epoch"]], run: "Run") -> None:
    """Write and log the curves of pre-training."""
    tables.write_table(history(epochs), out / "history.parquet")
    for number, passed in epochs.items():
        with run.fold(number) as child:
            log_curves(child, passed)


def log_curves(run: "Run", epochs: Sequence["Epoch"]) -> None:
    for epoch in epochs:
        losses = {"train_loss": epoch.train_loss, "validation_loss": epoch.validation_loss}
        known = {name: value for name, value in losses.items() if value is not None}
        run.metrics(known, step=epoch.number)


def checkpoint_folder(
    name: str, modules: Iterable[str], params: Mapping[str, Any], inputs: Iterable[Path]
) -> Path:
    """Where a run's checkpoints lie: another place for other code, params or data.

    modules : that train, by name
    """
    digest = hashlib.sha256(f"{fingerprint(modules)} {dict(params)}".encode())
    for path in inputs:
        digest.update(path.read_bytes())
    return paths.CACHE / "checkpoints" / f"{name}-{digest.hexdigest()[:16]}"


def discard(checkpoints: Path) -> None:
    """Remove the checkpoints of a run that has come to its end."""
    shutil.rmtree(checkpoints, ignore_errors=True)


def ledger(
    folds: pl.DataFrame, predicted: pl.DataFrame, lacking: Mapping[str, str]
) -> pl.DataFrame:
    """What became of each recording of the folds: predicted, or lacking what; schema.LEDGER.

    Raises ValueError if one was left out and lacks nothing.
    """
    rows = folds.select("recording_id", "subject").unique().sort("recording_id").to_dicts()
    left_out = {row["recording_id"] for row in rows} - set(predicted["recording_id"])
    if unexplained := sorted(left_out - lacking.keys()):
        raise ValueError(f"no prediction of {unexplained[:5]}, which lack nothing")
    empty = dict.fromkeys(LEDGER)
    entries = [
        {**empty, **row, "status": "ok", "reason": "", "key": ""}
        | ({"status": "excluded", "reason": lacking[name]} if name in left_out else {})
        for row in rows
        for name in (row["recording_id"],)
    ]
    return pl.DataFrame(entries, schema=dict(LEDGER))


def write(
    out: Path,
    results: Mapping[int, "FoldResult"],
    folds: pl.DataFrame,
    labels: pl.DataFrame,
    lacking: Mapping[str, str],
) -> None:
    """Write predictions, ledger, history, and what was predicted of degraded recordings.

    labels  : recording_id, valence_label, arousal_label
    lacking : recording_id -> why the system could not use it
    """
    scores = {number: result.scores for number, result in results.items()}
    predicted = predictions(scores, folds, labels)
    tables.write_table(predicted, out / "predictions.parquet")
    tables.write_table(ledger(folds, predicted, lacking), paths.ledger(out))
    epochs = {number: result.history for number, result in results.items()}
    tables.write_table(history(epochs), out / "history.parquet")
    less = {n: r.degraded for n, r in results.items() if r.degraded is not None}
    if less:
        tables.write_table(degraded(less, folds, labels), out / "degraded.parquet")


def degraded(
    scores: Mapping[int, pl.DataFrame], folds: pl.DataFrame, labels: pl.DataFrame
) -> pl.DataFrame:
    """`predictions` for each modality of which a share is missing; schema.DEGRADED."""
    steps = pl.concat(table.select("modality", "share") for table in scores.values()).unique()
    tables_of = [
        predictions(
            {
                fold: table.filter(modality=modality, share=share).drop("modality", "share")
                for fold, table in scores.items()
            },
            folds,
            labels,
        ).with_columns(pl.lit(modality).alias("modality"), pl.lit(share).alias("share"))
        for modality, share in sorted(steps.iter_rows())
    ]
    return validate(pl.concat(tables_of), DEGRADED, "degraded")
