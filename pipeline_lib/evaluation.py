"""What `results/D-S.json` says: the scores of one system on one data set, with intervals."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from metrics import classification
from metrics.significance import Metric, bootstrap_over_subjects
from pipeline_lib.params import Evaluation
from pipeline_lib.schema import PREDICTIONS, TARGETS, validate

POOLED: Mapping[str, Metric] = {
    "weighted_f1": classification.weighted_f1,
    "accuracy": classification.accuracy,
    "balanced_accuracy": classification.balanced_accuracy,
    "auc": classification.auc,
    "mcc": classification.mcc,
}
DIGITS = 6  # machines differ in the last ones


class EvaluationError(ValueError):
    """The predictions are not one out-of-fold score a recording and target."""


def summarise(
    predictions: pl.DataFrame, *, evaluation: Evaluation, seed: int, synthetic: bool
) -> dict[str, Any]:
    """Score out-of-fold predictions (schema.PREDICTIONS); the content of a results file.

    A target has `folds`, the weighted F1 of each fold with mean and standard deviation (ddof 0:
    of these folds, as the papers' tables give it), and `pooled`, the scores over all recordings
    at once, each with its bootstrap interval over subjects. What is not defined is null.

    Raises EvaluationError if a recording is missing, scored twice or not scored by a number.
    """
    check(predictions)
    first = predictions.filter(pl.col("target") == TARGETS[0])
    return {
        "synthetic": synthetic,
        "n_recordings": first.height,
        "n_subjects": first["subject"].n_unique(),
        "n_folds": first["fold"].n_unique(),
        "confidence": evaluation.confidence,
    } | {
        target: {
            "folds": _folds(rows),
            "pooled": {
                name: _pooled(rows, metric, evaluation=evaluation, seed=seed)
                for name, metric in POOLED.items()
            },
        }
        for target in TARGETS
        for rows in (predictions.filter(pl.col("target") == target),)
    }


def check(predictions: pl.DataFrame) -> None:
    """Raise EvaluationError unless each recording has one finite score for each target."""
    validate(predictions, PREDICTIONS, "predictions")
    per_recording = predictions.group_by("recording_id").agg(
        pl.len().alias("rows"), pl.col("target").n_unique().alias("targets")
    )
    wrong = per_recording.filter(
        (pl.col("rows") != len(TARGETS)) | (pl.col("targets") != len(TARGETS))
    )
    if predictions.is_empty() or not wrong.is_empty():
        names = sorted(wrong["recording_id"])[:5]
        raise EvaluationError(
            f"{wrong.height} of {per_recording.height} recordings do not have exactly one score "
            f"for each of {list(TARGETS)}: {names}"
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


def flat(summary: Mapping[str, Any], prefix: str) -> dict[str, float]:
    """The defined numbers of a summary as metrics of a tracking server."""
    found = {}
    for target in TARGETS:
        folds, pooled = summary[target]["folds"], summary[target]["pooled"]
        found[f"{prefix}.{target}.weighted_f1_mean"] = folds["mean"]
        found[f"{prefix}.{target}.weighted_f1_std"] = folds["std"]
        found |= {f"{prefix}.{target}.{name}": pooled[name]["value"] for name in POOLED}
    return {name: value for name, value in found.items() if value is not None}


def confusions(predictions: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Actual and predicted class of every recording, by target, for a confusion plot."""
    predicted = (pl.col("score") > classification.DECISION).cast(pl.Int8)
    return {
        target: predictions.filter(target=target)
        .sort("recording_id")
        .select(pl.col("label").alias("actual"), predicted.alias("predicted"))
        for target in TARGETS
    }


def _folds(rows: pl.DataFrame) -> dict[str, Any]:
    scores = [
        float(classification.weighted_f1(fold["label"].to_numpy(), fold["score"].to_numpy()))
        for _, fold in sorted(rows.group_by("fold"), key=lambda group: group[0])
    ]
    return {
        "weighted_f1": [_number(score) for score in scores],
        "mean": _number(float(np.mean(scores))),
        "std": _number(float(np.std(scores))),
    }


def _pooled(
    rows: pl.DataFrame, metric: Metric, *, evaluation: Evaluation, seed: int
) -> dict[str, float | None]:
    value = float(metric(rows["label"].to_numpy(), rows["score"].to_numpy()))
    low, high = bootstrap_over_subjects(
        rows,
        metric,
        n_resamples=evaluation.bootstrap,
        confidence=evaluation.confidence,
        seed=seed,
    )
    return {"value": _number(value), "low": _number(low), "high": _number(high)}


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, DIGITS)
