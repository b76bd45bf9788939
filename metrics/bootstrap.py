"""How sure a score is: a bootstrap over subjects, whose recordings are not independent."""

from functools import lru_cache
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri, stdtr, stdtrit

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int8]

LARGEST_UNDEFINED = 0.5  # share of resamples whose score is NaN, above which there is no interval


class Metric(Protocol):
    """A function of metrics.classification."""

    def __call__(self, labels: Ints, scores: Floats, weights: Floats | None = None) -> Floats: ...


def bootstrap_over_subjects(
    labels: Ints,
    scores: Floats,
    subjects: npt.NDArray[np.str_],
    metric: Metric,
    *,
    n_resamples: int,
    confidence: float,
    seed: int,
) -> tuple[float, float]:
    """`interval` of a metric, by drawing subjects with replacement.

    labels     : (n,)
    scores     : (n_repeats, n); the metric is the mean over the repeats, see `mean_over_repeats`
    subjects   : (n,) of each recording
    confidence : of the interval, 0 to 1

    The same subjects are drawn for every metric and system of a seed, whatever the order of the
    recordings. Resamples in which the metric is not defined are left out; (NaN, NaN) if more than
    half of them are, or if there is one subject only.
    """
    names, of_row = np.unique(subjects, return_inverse=True)
    weights = resamples(len(names), n_resamples=n_resamples, seed=seed)[:, of_row]
    found = mean_over_repeats(labels, scores, metric, weights)
    defined = found[~np.isnan(found)]
    if defined.size < (1 - LARGEST_UNDEFINED) * n_resamples:
        return float("nan"), float("nan")
    return interval(defined, confidence=confidence, n_subjects=len(names))


def mean_over_repeats(
    labels: Ints, scores: Floats, metric: Metric, weights: Floats | None = None
) -> Floats:
    """A metric in each repeat of a cross-validation, averaged: what one model is worth.

    Not the metric of the averaged scores, which would be that of an ensemble of the models.

    labels (n,), scores (n_repeats, n), weights (..., n) -> (...,)
    """
    found: Floats = np.mean([metric(labels, of_repeat, weights) for of_repeat in scores], axis=0)
    return found


@lru_cache(maxsize=8)  # every pair of systems is drawn alike
def resamples(n_subjects: int, *, n_resamples: int, seed: int) -> Floats:
    """How often each subject is drawn in each resample: (n_resamples, n_subjects), read-only."""
    drawn = np.random.default_rng(seed).multinomial(
        n_subjects, np.full(n_subjects, 1 / n_subjects), size=n_resamples
    )
    weights: Floats = drawn.astype(np.float64)
    weights.flags.writeable = False
    return weights


def interval(resampled: Floats, *, confidence: float, n_subjects: int) -> tuple[float, float]:
    """The expanded percentile interval of resampled values (n_resamples,).

    Percentiles of few subjects are too narrow: a resample of n varies by n - 1 over n of what
    another sample would, and as a normal, not a t variable. So the tails are taken further out,
    by as much as makes the interval of a mean Student's (Hesterberg 2015, The American
    Statistician 69, 371-386, "expanded percentile"). (NaN, NaN) of one subject: nobody to vary by.
    """
    if n_subjects < 2:
        return float("nan"), float("nan")
    t = stdtrit(n_subjects - 1, (1 + confidence) / 2)
    tail = ndtr(-t * np.sqrt(n_subjects / (n_subjects - 1)))
    low, high = np.quantile(resampled, [tail, 1 - tail])
    return float(low), float(high)


def tail_p(share: float, *, n_subjects: int) -> float:
    """One-sided p of a share of resamples: `interval` the other way round. 1 of one subject."""
    if n_subjects < 2:
        return 1.0
    return float(stdtr(n_subjects - 1, ndtri(share) * np.sqrt((n_subjects - 1) / n_subjects)))
