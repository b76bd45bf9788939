"""What `results/D-S.json` says of a system that estimates intensities: Pearson by class."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from metrics import regression
from metrics.bootstrap import interval, resamples
from pipeline_lib.correlation import partition
from pipeline_lib.correlation.partition import SELECTIONS, Partition
from pipeline_lib.evaluation import number
from pipeline_lib.learning.splits import Rules
from pipeline_lib.params import Evaluation

Floats = npt.NDArray[np.float64]


class ConstantWarning(UserWarning):
    """A system says the same of every recording, or all labels of a class are the same."""


def summarise(
    estimates: pl.DataFrame,
    *,
    system: str,
    evaluation: Evaluation,
    seed: int,
    synthetic: bool,
    rules: Rules,
) -> dict[str, Any]:
    """The content of `results/D-S.json`.

    estimates : schema.ESTIMATES of the system; rows of other roles than `test` do not count

    A selection has `pearson`: of each class and their mean, with intervals over
    subjects, and `constant`: the classes without a correlation, which count as 0.
    Warns of those (ConstantWarning). Raises EvaluationError as `partition.of` does.
    """
    parts = {selection: partition.of(estimates, selection) for selection in SELECTIONS}
    tested = estimates.filter(role="test")
    return {
        "synthetic": synthetic,
        "protocol": rules.protocol,
        "flaws": list(rules.flaws),
        "n_recordings": tested["recording_id"].n_unique(),
        "n_subjects": tested["subject"].n_unique(),
        "n_folds": tested["fold"].n_unique(),
        "confidence": evaluation.confidence,
    } | {
        selection: {
            "pearson": _scored(part, evaluation, seed),
            "constant": _constant(part, f"{system}, {selection}"),
        }
        for selection, part in parts.items()
    }


def flat(summary: Mapping[str, Any], prefix: str) -> dict[str, float]:
    """The numbers of a summary as metrics of a tracking server."""
    return {
        f"{prefix}.{selection}.pearson.{name}": entry["value"]
        for selection in SELECTIONS
        for name, entry in summary[selection]["pearson"].items()
    }


def _scored(part: Partition, evaluation: Evaluation, seed: int) -> dict[str, Any]:
    """Pearson of the mean and of each class, each with its interval."""
    by_class = np.nan_to_num(regression.pearson(part.labels, part.scores))
    middle = part.scores.mean(axis=0)
    sums = regression.moments(part.labels, part.scores, part.subjects, origin=middle)
    n_subjects = sums.shape[1]
    weights = resamples(n_subjects, n_resamples=evaluation.bootstrap, seed=seed)
    drawn = regression.of_moments(weights @ sums)  # (n_targets, n_resamples)
    values = [float(by_class.mean()), *map(float, by_class)]
    resampled = [drawn.mean(axis=0), *drawn]
    found = {}
    for name, value, spread in zip(("mean", *part.targets), values, resampled, strict=True):
        low, high = interval(spread, confidence=evaluation.confidence, n_subjects=n_subjects)
        found[name] = {"value": number(value), "low": number(low), "high": number(high)}
    return found


def _constant(part: Partition, whose: str) -> list[str]:
    """Classes without a correlation; warns of them."""
    undefined = np.isnan(regression.pearson(part.labels, part.scores))
    names = [target for target, none in zip(part.targets, undefined, strict=True) if none]
    for name in names:
        labels = part.labels[:, part.targets.index(name)]
        what = "labels" if regression.is_constant(labels) else "scores"
        warnings.warn(
            f"{whose}: all {what} of {name} are the same, so its correlation counts as 0",
            ConstantWarning,
            stacklevel=3,
        )
    return names
