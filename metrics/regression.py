"""Scores of an estimated intensity: Pearson's correlation by class, and its mean over classes.

A constant column, of labels or of scores, has no correlation: `pearson` gives NaN, as SciPy does,
and as well where it is constant but for rounding, which SciPy would take for scores.
Where classes are averaged or resampled it counts as 0, that of a guess, because leaving it out
would reward a system that gives up a class. Who averages says which classes those were.

Resampling and swapping (`significance.swap_test` of `mean_of_moments`) go through `moments`: a
system enters as six sums of each group and class, of which every correlation over any choice of
groups is made.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# Labels are 0 to 1: sums of what is taken from here lose little to rounding. It is the same for
# all systems, or a mixture of two would not be that of their scores.
ORIGIN = 0.5
FLAT = 1e-12  # variance over mean square, below which a sum's rounding is all there is
N_MOMENTS = 6


def pearson(y_true: Floats, y_score: Floats) -> Floats:
    """Pearson's correlation along the first axis: (n, ...) -> (...,); NaN of constant columns."""
    undefined = is_constant(y_true) | is_constant(y_score)
    # Each by its largest: the square of a very small number would be 0.
    true, score = _unit(y_true), _unit(y_score)
    with np.errstate(invalid="ignore"):
        found = (true * score).sum(axis=0) / np.sqrt((true**2).sum(axis=0) * (score**2).sum(axis=0))
    defined: Floats = np.where(undefined, np.nan, found)
    return defined


def is_constant(y: Floats) -> npt.NDArray[np.bool_]:
    """Which columns are constant but for rounding, along the first axis: (n, ...) -> (...,)

    So little is rounding of their level that SciPy's pearsonr warns of them.
    """
    mean = y.mean(axis=0)
    spread = np.abs(y - mean).max(axis=0) * np.linalg.norm(_unit(y), axis=0)
    close = spread < np.finfo(mean.dtype).eps ** 0.75 * np.abs(mean)
    constant: npt.NDArray[np.bool_] = close | (np.ptp(y, axis=0) == 0)
    return constant


def _unit(y: Floats) -> Floats:
    """Deviations from the mean along the first axis, at most 1; NaN if there are none."""
    deviations = y - y.mean(axis=0)
    with np.errstate(invalid="ignore"):
        unit: Floats = deviations / np.abs(deviations).max(axis=0)
    return unit


def mean_pearson(y_true: Floats, y_score: Floats) -> float:
    """Mean over classes of the correlation over all recordings, (n, n_targets) both; NaN is 0."""
    return float(np.nan_to_num(pearson(y_true, y_score)).mean())


def moments(
    y_true: Floats,
    y_score: Floats,
    groups: npt.NDArray[np.str_],
    *,
    origin: float | Floats = ORIGIN,
) -> Floats:
    """Number, sums, squares and product of labels and scores, of each group.

    y_true, y_score (n, n_targets), groups (n,) -> (n_targets, n_groups, 6), the groups in
    alphabetical order

    origin : taken from the scores, (n_targets,): their mean, if they meet no other system's
    """
    names, of_row = np.unique(groups, return_inverse=True)
    level = [np.where(is_constant(y), y.mean(axis=0), y) for y in (y_true, y_score)]
    true, score = level[0] - ORIGIN, level[1] - origin
    each = np.stack([np.ones_like(true), true, score, true**2, score**2, true * score], axis=-1)
    summed = np.zeros((len(names), *each.shape[1:]))
    np.add.at(summed, of_row, each)
    by_target: Floats = summed.transpose(1, 0, 2)
    return by_target


def of_moments(totals: Floats) -> Floats:
    """`pearson` from moments that were summed over groups: (..., 6) -> (...,); NaN counts as 0."""
    n, true, score, true_squared, score_squared, product = np.moveaxis(totals, -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = true_squared / n - (true / n) ** 2, score_squared / n - (score / n) ** 2
        is_flat = (spread[0] <= FLAT * true_squared / n) | (spread[1] <= FLAT * score_squared / n)
        found = (product / n - true * score / n**2) / np.sqrt(spread[0] * spread[1])
    defined: Floats = np.where(is_flat | (n == 0), 0.0, found)
    return defined


def mean_of_moments(totals: Floats) -> Floats:
    """`mean_pearson` from moments: (n_targets, ..., 6) -> (...,)"""
    found: Floats = of_moments(totals).mean(axis=0)
    return found
