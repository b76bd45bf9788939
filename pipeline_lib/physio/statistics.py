"""Moments and quantiles of a signal; NaN where there are too few samples to have them."""

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

SAME = 1e-10  # of the largest sample: a spread below is rounding, not signal


def mean(x: Floats) -> float:
    """NaN for no value."""
    return float(np.mean(x)) if x.size else math.nan


def std(x: Floats) -> float:
    """Standard deviation of a sample (n - 1); NaN for fewer than two values."""
    return float(np.std(x, ddof=1)) if x.size > 1 else math.nan


def ratio(over: float, under: float) -> float:
    """over / under; NaN if that is not a number."""
    return over / under if under else math.nan


def skewness(x: Floats) -> float:
    """Third standardised moment, of the population; NaN for a constant."""
    return _standardised_moment(x, 3)


def kurtosis(x: Floats) -> float:
    """Fourth standardised moment, of the population: 3 for a normal one; NaN for a constant."""
    return _standardised_moment(x, 4)


def _standardised_moment(x: Floats, order: int) -> float:
    if x.size < 2 or np.ptp(x) <= SAME * np.max(np.abs(x)):
        return math.nan
    return float(np.mean(((x - x.mean()) / x.std()) ** order))
