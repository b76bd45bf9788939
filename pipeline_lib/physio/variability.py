"""Heart rate and its variability over time: location, deviations, Poincare plot, complexity.

Definitions: Task Force of the ESC and NASPE (1996), "Heart rate variability: standards of
measurement", Eur. Heart J. 17. Units: 1/min for rates, s for intervals, 0-1 for shares.
Of a PPG the same are taken of pulse intervals, which vary a little more than those of the ECG.
"""

import math
import warnings

import numpy as np
import numpy.typing as npt

from pipeline_lib.physio.beats import Intervals
from pipeline_lib.physio.statistics import mean, ratio, std

Floats = npt.NDArray[np.float64]

MIN_INTERVALS = 3  # below, not even a rate
# s of believed intervals, from which on a measure agrees with that of 5 min: RMSSD from 10 s,
# SDNN from 30 s, whose bias is 0.85 standard deviations at 10 s (Munoz et al. 2015, PLoS ONE
# 10(9)); histograms from 20 min (Task Force 1996).
MIN_FAST, MIN_SLOW, MIN_HISTOGRAM = 10.0, 30.0, 1200.0
AT_ENDS = 0.9  # of a minimum is enough: the ends of a recording cut intervals
MIN_COMPLEXITY = 100  # intervals, 10^m for m = 2 (Pincus & Goldberger 1994, Am. J. Physiol. 266)
STEADIEST = 1e-6  # s of range: below, the intervals are equal and their differences rounding
HISTOGRAM_BIN = 1 / 128  # s (Task Force 1996)
DFA_SCALES = range(4, 17)  # intervals: alpha 1 (Peng et al. 1995, Chaos 5)

LOCATION = (
    "heart_rate",  # 1/min, 60 / mean interval
    "heart_rate_min",
    "heart_rate_max",
    "heart_rate_range",
    "heart_NN_mean",  # s
    "heart_NN_median",
    "heart_NN_min",
    "heart_NN_max",
    "heart_NN_q20",
    "heart_NN_q80",
)
FAST = (
    "heart_RMSSD",  # s, root mean square of successive differences
    "heart_SDSD",  # s, their standard deviation
    "heart_CVSD",  # RMSSD / mean interval
    "heart_pNN20",  # share of successive differences above 20 ms
    "heart_pNN50",
    "heart_SD1",  # s, Poincare plot, across the line of identity (Brennan et al. 2001)
)
SLOW = (
    "heart_rate_std",  # 1/min, of the rates of all intervals
    "heart_SDNN",  # s, standard deviation of the intervals
    "heart_CVNN",  # SDNN / mean interval
    "heart_SD2",  # s, Poincare plot, along the line of identity
    "heart_SD1_SD2",
)
HISTOGRAM = ("heart_triangular_index",)  # intervals over those in the fullest bin of 1/128 s
COMPLEXITY = (
    "heart_ApEn",  # approximate entropy, m = 2, r = 0.2 standard deviations (Pincus 1991)
    "heart_SampEn",  # sample entropy, the same m and r (Richman & Moorman 2000)
    "heart_DFA_alpha1",  # scaling exponent of 4-16 intervals: 0.5 white noise, 1.5 random walk
)
VARIABILITY_FEATURES = (*LOCATION, *FAST, *SLOW, *HISTOGRAM, *COMPLEXITY)


def variability(intervals: Intervals, *, stretch: Intervals) -> dict[str, float]:
    """VARIABILITY_FEATURES; NaN where the believed intervals do not last for them.

    stretch : the longest part without a gap, of which complexity is taken
    """
    features = dict.fromkeys(VARIABILITY_FEATURES, math.nan)
    lengths = intervals.lengths
    if lengths.size < MIN_INTERVALS:
        return features
    seconds = float(lengths.sum())
    features |= location(lengths)
    if seconds >= AT_ENDS * MIN_FAST:
        features |= fast(intervals)
    if seconds >= AT_ENDS * MIN_SLOW:
        features |= slow(intervals)
    if seconds >= AT_ENDS * MIN_HISTOGRAM:
        bins = np.arange(0, lengths.max() + HISTOGRAM_BIN, HISTOGRAM_BIN)
        index = lengths.size / np.histogram(lengths, bins)[0].max()
        features["heart_triangular_index"] = float(index)
    return features | complexity(stretch.lengths)


def location(lengths: Floats) -> dict[str, float]:
    """LOCATION of intervals (n,), s."""
    values = (
        60 / lengths.mean(),
        60 / lengths.max(),
        60 / lengths.min(),
        60 / lengths.min() - 60 / lengths.max(),
        lengths.mean(),
        np.median(lengths),
        lengths.min(),
        lengths.max(),
        *np.quantile(lengths, (0.2, 0.8)),
    )
    return dict(zip(LOCATION, map(float, values), strict=True))


def fast(intervals: Intervals) -> dict[str, float]:
    """FAST: from one beat to the next; over a rejected interval there is no next."""
    steps = intervals.steps()
    rmssd = math.sqrt(mean(steps**2)) if steps.size else math.nan
    values = (
        rmssd,
        std(steps),
        rmssd / mean(intervals.lengths),
        mean((np.abs(steps) > 0.02).astype(np.float64)),
        mean((np.abs(steps) > 0.05).astype(np.float64)),
        std(steps) / math.sqrt(2),
    )
    return dict(zip(FAST, values, strict=True))


def slow(intervals: Intervals) -> dict[str, float]:
    """SLOW: over all intervals."""
    lengths = intervals.lengths
    sums = (lengths[1:] + lengths[:-1])[intervals.follows[1:]]
    sd1, sd2 = std(intervals.steps()) / math.sqrt(2), std(sums) / math.sqrt(2)
    sdnn = std(lengths)
    values = (std(60 / lengths), sdnn, sdnn / mean(lengths), sd2, ratio(sd1, sd2))
    return dict(zip(SLOW, values, strict=True))


def complexity(lengths: Floats) -> dict[str, float]:
    """COMPLEXITY of successive intervals (n,), s; NaN for fewer than MIN_COMPLEXITY, or equal ones.

    Where NeuroKit2 says infinite (no pattern of three intervals comes twice) or warns and says NaN
    (equal intervals at all places that a scale looks at), it is NaN as well.
    """
    if lengths.size < MIN_COMPLEXITY or np.ptp(lengths) < STEADIEST:
        return dict.fromkeys(COMPLEXITY, math.nan)
    import neurokit2 as nk

    options = {"delay": 1, "dimension": 2, "tolerance": 0.2 * std(lengths)}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All detrended segments have no variance", UserWarning)
        # Its smallest variance of a segment, 1e-8, is meant for ms.
        alpha, _ = nk.fractal_dfa(1000 * lengths, scale=DFA_SCALES)
    values = (
        nk.entropy_approximate(lengths, **options)[0],
        nk.entropy_sample(lengths, **options)[0],
        alpha,
    )
    finite = (float(value) if np.isfinite(value) else math.nan for value in values)
    return dict(zip(COMPLEXITY, finite, strict=True))
