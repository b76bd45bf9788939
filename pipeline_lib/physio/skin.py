"""Features of skin conductance: the signal, its tonic and phasic parts, its responses.

Parts: a Butterworth filter of order 2 at 0.05 Hz, forward and backward (NeuroKit2's "highpass").
Counts, sums and areas would tell how long a recording lasts: here they are per minute or second.
"""

import math

import numpy as np
import numpy.typing as npt

from pipeline_lib.physio import gaps, statistics
from pipeline_lib.physio.responses import Responses, find_responses

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

MIN_PARTS = 20.0  # s, one period of the 0.05 Hz at which the filter tells tonic from phasic
MIN_RESPONSES = 5.0  # s, the longest rise of a response (Boucsein et al. 2012)

LEVEL_FEATURES = (  # of the filtered samples, in the signal's unit but for the last three
    "EDA_mean",
    "EDA_std",
    "EDA_min",
    "EDA_max",
    "EDA_range",
    "EDA_median",
    "EDA_skewness",  # 1
    "EDA_kurtosis",  # 1
    "EDA_slope",  # unit / s
)
PART_FEATURES = (
    "EDA_tonic_mean",
    "EDA_tonic_std",
    "EDA_tonic_min",
    "EDA_tonic_max",
    "EDA_tonic_slope",  # unit / s
    "EDA_phasic_mean",
    "EDA_phasic_std",
    "EDA_phasic_min",
    "EDA_phasic_max",
    "EDA_phasic_area",  # between the phasic part and 0, a second: unit s / s
)
RESPONSE_FEATURES = (
    "EDA_SCR_rate",  # 1/min
    "EDA_SCR_amplitude",  # mean, from onset to peak, in the signal's unit
    "EDA_SCR_amplitude_max",
    "EDA_SCR_amplitude_sum",  # unit / min
    "EDA_SCR_rise_time",  # s, mean, from onset to peak
    "EDA_SCR_rise_time_sum",  # s / min
    "EDA_SCR_recovery_time",  # s, mean, from peak to half
)
EDA_FEATURES = (*LEVEL_FEATURES, *PART_FEATURES, *RESPONSE_FEATURES)


def skin_features(x: Floats, sampling_rate: float, *, in_microsiemens: bool) -> dict[str, float]:
    """EDA_FEATURES of a filtered skin conductance.

    x               : (n_times,), readable (see pipeline_lib.physio.gaps), NaN where not recorded
    sampling_rate   : Hz
    in_microsiemens : its unit is uS; if not, nothing is known of its offset and scale
    """
    import neurokit2 as nk

    filled, observed = gaps.fill(x)
    seconds = float(observed.sum()) / sampling_rate
    features = dict.fromkeys(EDA_FEATURES, math.nan) | level(x, sampling_rate)
    if seconds < MIN_RESPONSES:
        return features
    both = nk.eda_phasic(filled, sampling_rate=sampling_rate, method="highpass")
    tonic, phasic = (both[f"EDA_{part}"].to_numpy() for part in ("Tonic", "Phasic"))
    found = find_responses(filled, phasic, sampling_rate, in_microsiemens=in_microsiemens)
    features |= response_features(
        found, _seen_rising(found, observed, sampling_rate), minutes=seconds / 60
    )
    if seconds >= MIN_PARTS:
        gone = np.where(observed, 0.0, math.nan)
        features |= part_features(tonic + gone, phasic + gone, sampling_rate)
    return features


def level(x: Floats, sampling_rate: float) -> dict[str, float]:
    """LEVEL_FEATURES of (n_times,); NaN samples do not count."""
    seen = x[np.isfinite(x)]
    values = (
        seen.mean(),
        seen.std(),
        seen.min(),
        seen.max(),
        np.ptp(seen),
        np.median(seen),
        statistics.skewness(seen),
        statistics.kurtosis(seen),
        slope(x, sampling_rate),
    )
    return dict(zip(LEVEL_FEATURES, map(float, values), strict=True))


def part_features(tonic: Floats, phasic: Floats, sampling_rate: float) -> dict[str, float]:
    """PART_FEATURES of (n_times,) each; NaN samples do not count."""
    slow, fast = tonic[np.isfinite(tonic)], phasic[np.isfinite(phasic)]
    values = (
        slow.mean(),
        slow.std(),
        slow.min(),
        slow.max(),
        slope(tonic, sampling_rate),
        fast.mean(),
        fast.std(),
        fast.min(),
        fast.max(),
        np.abs(fast).mean(),
    )
    return dict(zip(PART_FEATURES, map(float, values), strict=True))


def response_features(found: Responses, seen: Bools, *, minutes: float) -> dict[str, float]:
    """RESPONSE_FEATURES; without a response the rate and the sums are 0, the rest is NaN.

    seen : (n_responses,), False for one that was not recorded from onset to peak
    """
    amplitudes, rises, recoveries = (
        found.amplitudes[seen],
        found.rises[seen],
        found.recoveries[seen],
    )
    values = (
        amplitudes.size / minutes,
        statistics.mean(amplitudes),
        amplitudes.max() if amplitudes.size else math.nan,
        amplitudes.sum() / minutes,
        statistics.mean(rises),
        rises.sum() / minutes,
        statistics.mean(recoveries[np.isfinite(recoveries)]),
    )
    return dict(zip(RESPONSE_FEATURES, map(float, values), strict=True))


def _seen_rising(found: Responses, observed: Bools, sampling_rate: float) -> Bools:
    made_up = np.cumsum(~observed)
    onsets = found.peaks - np.round(found.rises * sampling_rate).astype(np.int64)
    seen: Bools = observed[onsets] & (made_up[found.peaks] == made_up[onsets])
    return seen


def slope(x: Floats, sampling_rate: float) -> float:
    """Of the straight line through (n_times,), unit / s; NaN samples do not count."""
    seen = np.isfinite(x)
    times = np.flatnonzero(seen) / sampling_rate
    line = np.polynomial.Polynomial.fit(times, x[seen], 1).convert().coef
    return float(line[1]) if line.size > 1 else 0.0
