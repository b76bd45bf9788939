"""Scores of a binary classification, each also of many weightings at once.

All functions share one signature:

labels  : (n,) 0 or 1, the truth
scores  : (n,) probability of 1; the predicted class is score > 0.5
weights : (..., n) how often each recording counts; None counts each once

and return (...,) float64: one number, or one for each weighting, which is what a bootstrap
needs. NaN marks what is not defined, as the AUC of one class.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int8]

DECISION = 0.5


def accuracy(labels: Ints, scores: Floats, weights: Floats | None = None) -> Floats:
    """Share of right predictions."""
    tp, fp, fn, tn = confusion(labels, scores, weights)
    return _ratio(tp + tn, tp + fp + fn + tn)


def balanced_accuracy(labels: Ints, scores: Floats, weights: Floats | None = None) -> Floats:
    """Mean recall of the two classes; NaN if one of them does not occur."""
    tp, fp, fn, tn = confusion(labels, scores, weights)
    return (_ratio(tp, tp + fn) + _ratio(tn, tn + fp)) / 2


def weighted_f1(labels: Ints, scores: Floats, weights: Floats | None = None) -> Floats:
    """F1 of each class, averaged by how often the class occurs (MVP 4.3).

    The F1 of a class that is never predicted, or does not occur, is 0.
    """
    tp, fp, fn, tn = confusion(labels, scores, weights)
    f1_of_1 = np.nan_to_num(_ratio(2 * tp, 2 * tp + fp + fn))
    f1_of_0 = np.nan_to_num(_ratio(2 * tn, 2 * tn + fp + fn))
    return _ratio((tp + fn) * f1_of_1 + (tn + fp) * f1_of_0, tp + fp + fn + tn)


def mcc(labels: Ints, scores: Floats, weights: Floats | None = None) -> Floats:
    """Matthews' correlation coefficient, -1 to 1.

    0 if one class only is predicted; NaN if one class only occurs.
    """
    tp, fp, fn, tn = confusion(labels, scores, weights)
    occurring, predicted = (tp + fn) * (tn + fp), (tp + fp) * (tn + fn)
    found = np.nan_to_num(_ratio(tp * tn - fp * fn, np.sqrt(occurring * predicted)))
    defined: Floats = np.where(occurring > 0, found, np.nan)
    return defined


def auc(labels: Ints, scores: Floats, weights: Floats | None = None) -> Floats:
    """Area under the ROC curve: how often a 1 scores above a 0, ties counting half.

    NaN if one class only occurs.
    """
    weights = np.ones(len(labels)) if weights is None else weights
    _, rank = np.unique(scores, return_inverse=True)
    # (..., n) -> (..., n_ranks): the weight of each class at each distinct score
    membership = np.equal.outer(rank, np.arange(rank.max() + 1)).astype(np.float64)
    ones = (weights * (labels == 1)) @ membership
    zeros = (weights * (labels == 0)) @ membership
    below = np.cumsum(zeros, axis=-1) - zeros
    wins = (ones * (below + zeros / 2)).sum(axis=-1)
    return _ratio(wins, ones.sum(axis=-1) * zeros.sum(axis=-1))


def confusion(
    labels: Ints, scores: Floats, weights: Floats | None = None
) -> tuple[Floats, Floats, Floats, Floats]:
    """True positives, false positives, false negatives, true negatives; each (...,)."""
    weights = np.ones(len(labels)) if weights is None else weights
    actual, predicted = np.asarray(labels) == 1, np.asarray(scores) > DECISION
    cells = (actual & predicted, ~actual & predicted, actual & ~predicted, ~actual & ~predicted)
    tp, fp, fn, tn = (weights @ cell.astype(np.float64) for cell in cells)
    return tp, fp, fn, tn


def _ratio(part: Floats, whole: Floats) -> Floats:
    """part / whole, NaN where whole is 0."""
    part, whole = np.asarray(part), np.asarray(whole)
    ratio: Floats = np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0)
    return ratio
