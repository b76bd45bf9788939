"""What `results/D-S.json` says: the scores of one system on one data set, with intervals."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from metrics import classification
from metrics.bootstrap import Metric, bootstrap_over_subjects, mean_over_repeats
from pipeline_lib.core.schema import PREDICTIONS, TARGETS, validate
from pipeline_lib.learning.splits import Rules
from pipeline_lib.params import Evaluation

Floats = npt.NDArray[np.float64]

POOLED: Mapping[str, Metric] = {
    "weighted_f1": classification.weighted_f1,
    "accuracy": classification.accuracy,
    "balanced_accuracy": classification.balanced_accuracy,
    "auc": classification.auc,
    "mcc": classification.mcc,
}
DIGITS = 6  # machines differ in the last ones
# Protocols whose folds are large enough for a score each, as in the paper. A fold of `loso` is one
# person, one of `stimulus` a few recordings: often of one class, where F1 is no more than recall.
SCORED_BY_FOLD = ("grouped", "repeated")


class EvaluationError(ValueError):
    """The predictions are not one out-of-fold score a recording, target and repeat."""


def summarise(
    predictions: pl.DataFrame,
    *,
    evaluation: Evaluation,
    seed: int,
    synthetic: bool,
    rules: Rules,
    targets: Sequence[str] = TARGETS,
) -> dict[str, Any]:
    """Score out-of-fold predictions (schema.PREDICTIONS); the content of a results file.

    A target has `folds`, the weighted F1 of each fold with mean and standard deviation (ddof 0:
    of these folds, as the papers' tables give it) and how many of the folds have one class only,
    and `pooled`, the scores over all recordings at once, each with its bootstrap interval over
    subjects; of several repeats, the mean of their scores. `headline` says which of the two is
    to be quoted. What is not defined is null.

    rules : that the folds follow
    Raises EvaluationError if a recording is missing, scored too often or not scored by a number.
    """
    check(predictions, targets)
    first = predictions.filter(pl.col("target") == targets[0])
    n_recordings = first["recording_id"].n_unique()
    return {
        "synthetic": synthetic,
        "protocol": rules.protocol,
        "flaws": list(rules.flaws),
        "headline": "folds" if rules.protocol in SCORED_BY_FOLD else "pooled",
        "n_recordings": n_recordings,
        "n_subjects": first["subject"].n_unique(),
        "n_folds": first["fold"].n_unique(),
        "n_repeats": first.height // n_recordings,
        "confidence": evaluation.confidence,
    } | {
        target: {
            "folds": _folds(rows),
            "pooled": {
                name: _pooled(rows, metric, evaluation=evaluation, seed=seed)
                for name, metric in POOLED.items()
            },
        }
        for target in targets
        for rows in (predictions.filter(pl.col("target") == target),)
    }


def check(predictions: pl.DataFrame, targets: Sequence[str] = TARGETS) -> None:
    """Raise EvaluationError unless each recording has one finite score a target and repeat."""
    validate(predictions, PREDICTIONS, "predictions")
    per_recording = predictions.group_by("recording_id").agg(
        pl.len().alias("rows"),
        pl.struct("target", "fold").filter(pl.col("target").is_in(targets)).n_unique().alias("own"),
        pl.col("fold").n_unique().alias("repeats"),
    )
    expected = len(targets) * int(per_recording["repeats"].to_numpy().max(initial=0))
    wrong = per_recording.filter((pl.col("rows") != expected) | (pl.col("own") != expected))
    if predictions.is_empty() or not wrong.is_empty():
        names = sorted(wrong["recording_id"])[:5]
        raise EvaluationError(
            f"{wrong.height} of {per_recording.height} recordings do not have exactly one score "
            f"for each of {list(targets)} in each repeat: {names}"
        )
    bad = predictions.filter(
        ~pl.col("score").is_between(0, 1).fill_null(False) | pl.col("label").is_null()
    )
    if not bad.is_empty():
        row = bad.row(0, named=True)
        raise EvaluationError(
            f"{bad.height} scores are not probabilities of a labelled recording, as "
            f"{row['score']} for the {row['target']} of {row['recording_id']}"
        )


def flat(
    summary: Mapping[str, Any], prefix: str, targets: Sequence[str] = TARGETS
) -> dict[str, float]:
    """The defined numbers of a summary as metrics of a tracking server."""
    found = {}
    for target in targets:
        folds, pooled = summary[target]["folds"], summary[target]["pooled"]
        found[f"{prefix}.{target}.weighted_f1_mean"] = folds["mean"]
        found[f"{prefix}.{target}.weighted_f1_std"] = folds["std"]
        found |= {f"{prefix}.{target}.{name}": pooled[name]["value"] for name in POOLED}
    return {name: value for name, value in found.items() if value is not None}


def by_repeat(rows: pl.DataFrame) -> tuple[pl.DataFrame, Floats]:
    """One target's recordings (recording_id, subject, label), and their scores.

    The scores are (n_repeats, n_recordings). The folds of a repeat are numbered before those of
    the next, so that a recording's first fold is of the first repeat.
    """
    ordered = rows.sort("recording_id", "fold")
    recordings = ordered.unique("recording_id", keep="first", maintain_order=True)
    scores: Floats = ordered["score"].to_numpy().reshape(recordings.height, -1).T
    return recordings.select("recording_id", "subject", "label"), scores


def confusions(predictions: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Actual and predicted class of every recording, by target, for a confusion plot."""
    predicted = (pl.col("score") > classification.DECISION).cast(pl.Int8)
    return {
        target: predictions.filter(target=target)
        .sort("recording_id", "fold")
        .select(pl.col("label").alias("actual"), predicted.alias("predicted"))
        for target in TARGETS
    }


def _folds(rows: pl.DataFrame) -> dict[str, Any]:
    folds = [fold for _, fold in sorted(rows.group_by("fold"), key=lambda group: group[0])]
    scores = [
        float(classification.weighted_f1(fold["label"].to_numpy(), fold["score"].to_numpy()))
        for fold in folds
    ]
    return {
        "weighted_f1": [number(score) for score in scores],
        "mean": number(float(np.mean(scores))),
        "std": number(float(np.std(scores))),
        "one_class": sum(fold["label"].n_unique() == 1 for fold in folds),
    }


def _pooled(
    rows: pl.DataFrame, metric: Metric, *, evaluation: Evaluation, seed: int
) -> dict[str, float | None]:
    recordings, scores = by_repeat(rows)
    labels = recordings["label"].to_numpy()
    low, high = bootstrap_over_subjects(
        labels,
        scores,
        recordings["subject"].to_numpy(),
        metric,
        n_resamples=evaluation.bootstrap,
        confidence=evaluation.confidence,
        seed=seed,
    )
    value = float(mean_over_repeats(labels, scores, metric))
    return {"value": number(value), "low": number(low), "high": number(high)}


def number(value: float) -> float | None:
    """As it stands in a results file: rounded, null if it is not defined."""
    return None if math.isnan(value) else round(value, DIGITS)
