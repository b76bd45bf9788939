"""How sure a score is: a bootstrap over subjects, whose recordings are not independent."""

from typing import Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int8]

LARGEST_UNDEFINED = 0.5  # share of resamples whose score is NaN, above which there is no interval


class Metric(Protocol):
    """A function of metrics.classification."""

    def __call__(self, labels: Ints, scores: Floats, weights: Floats | None = None) -> Floats: ...


def bootstrap_over_subjects(
    predictions: pl.DataFrame, metric: Metric, *, n_resamples: int, confidence: float, seed: int
) -> tuple[float, float]:
    """Percentile interval of a metric, by drawing subjects with replacement.

    predictions : one target's rows of schema.PREDICTIONS
    confidence  : of the interval, 0 to 1

    The same subjects are drawn for every metric and system of a seed, whatever the order of the
    rows. Resamples in which the metric is not defined are left out; (NaN, NaN) if more than
    half of them are.
    """
    ordered = predictions.sort("recording_id")
    weights = _weights(ordered["subject"], n_resamples=n_resamples, seed=seed)
    found = metric(ordered["label"].to_numpy(), ordered["score"].to_numpy(), weights)
    defined = found[~np.isnan(found)]
    if defined.size < (1 - LARGEST_UNDEFINED) * n_resamples:
        return float("nan"), float("nan")
    tail = (1 - confidence) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)


def _weights(subjects: pl.Series, *, n_resamples: int, seed: int) -> Floats:
    """How often each row counts in each resample: (n_resamples, n_rows)."""
    names, of_row = np.unique(subjects.to_numpy(), return_inverse=True)
    drawn = np.random.default_rng(seed).multinomial(
        len(names), np.full(len(names), 1 / len(names)), size=n_resamples
    )
    weights: Floats = drawn[:, of_row].astype(np.float64)
    return weights
