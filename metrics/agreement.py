"""How well two measurements of the same thing agree; NaN marks what is not defined."""

import numpy as np
import numpy.typing as npt

from metrics import regression

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def pearson(a: Floats, b: Floats) -> float:
    """Correlation of two series (n,): whether they move together, at whatever level and scale."""
    return float(regression.pearson(a, b))


def icc(ratings: Floats) -> tuple[float, float]:
    """ICC(3,1), consistency, and ICC(2,1), absolute agreement, of single raters.

    ratings : (n_targets, n_raters)

    Shrout and Fleiss (1979), Psychological Bulletin 86: the first forgives a rater that is
    always higher, the second does not.
    """
    n, k = ratings.shape
    centred = ratings - ratings.mean()
    between_targets = k * (centred.mean(axis=1) ** 2).sum()
    between_raters = n * (centred.mean(axis=0) ** 2).sum()
    bms = between_targets / (n - 1)
    jms = between_raters / (k - 1)
    ems = ((centred**2).sum() - between_targets - between_raters) / ((n - 1) * (k - 1))
    consistency = _ratio(bms - ems, bms + (k - 1) * ems)
    absolute = _ratio(bms - ems, bms + (k - 1) * ems + k * (jms - ems) / n)
    return consistency, absolute


def f1(truth: Bools, found: Bools) -> float:
    """F1 of what is present: harmonic mean of precision and recall."""
    return _ratio(2 * (truth & found).sum(), truth.sum() + found.sum())


def kappa(a: Bools, b: Bools) -> float:
    """Cohen's kappa: agreement on yes and no beyond what chance gives."""
    by_chance = a.mean() * b.mean() + (1 - a.mean()) * (1 - b.mean())
    return _ratio((a == b).mean() - by_chance, 1 - by_chance)


def angle(a: Floats, b: Floats) -> Floats:
    """Angle in rad between vectors (..., 3), each of any length above 0."""
    across = np.linalg.norm(np.cross(a, b), axis=-1)
    return np.asarray(np.arctan2(across, (a * b).sum(axis=-1)))


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if abs(whole) > 1e-12 else float("nan")
