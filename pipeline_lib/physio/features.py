"""Hand-crafted features of the heart and of skin conductance, for classic classifiers.

A feature that a signal does not have (too short, flat, no beats, not recorded) is NaN.
Heart-rate variability after the Task Force of the ESC and NASPE (1996).
"""

import math
import warnings

import numpy as np
import numpy.typing as npt
import polars as pl

Floats = npt.NDArray[np.float64]

HEART_FEATURES = (
    "heart_rate",  # beats per minute
    "heart_SDNN",  # s
    "heart_RMSSD",  # s
    "heart_pNN50",  # share of 0-1
    "heart_amplitude_mean",  # of the peaks, in the signal's unit
    "heart_amplitude_std",
)
EDA_FEATURES = (
    "EDA_mean",  # in the signal's unit
    "EDA_std",
    "EDA_slope",  # unit / s
    "EDA_phasic_std",
    "EDA_SCR_rate",  # skin-conductance responses per minute
    "EDA_SCR_amplitude",  # mean
)

SMALLEST_SCR = 0.1  # of the largest in the recording
MIN_SECONDS = 3.0  # shorter signals have neither two beats nor a response
INTERVALS = (0.3, 2.0)  # s between beats, 30-200 per minute; outside, a beat was missed or invented


def physio_features(rows: pl.DataFrame) -> dict[str, float]:
    """Features of one recording, from its rows of schema.PHYSIO (at most one heart channel)."""
    features = dict.fromkeys((*HEART_FEATURES, *EDA_FEATURES), math.nan)
    for channel, rate, samples in rows.select("channel", "sampling_rate", "samples").iter_rows():
        x = np.asarray(samples, np.float64)
        if not _readable(x, rate):
            continue
        features |= eda(x, rate) if channel == "EDA" else heart(x, rate, channel=channel)
    return features


def heart(x: Floats, sampling_rate: float, *, channel: str) -> dict[str, float]:
    """HEART_FEATURES of a filtered ECG or PPG (n_times,), sampling_rate in Hz."""
    beats = find_beats(x, sampling_rate, channel=channel)
    intervals = np.diff(beats) / sampling_rate  # s
    plausible = (intervals >= INTERVALS[0]) & (intervals <= INTERVALS[1])
    steps = np.diff(intervals)[plausible[1:] & plausible[:-1]]
    kept = intervals[plausible]
    values = (
        60 / _mean(kept),
        _std(kept),
        math.sqrt(_mean(steps**2)),
        _mean((np.abs(steps) > 0.05).astype(np.float64)),
        _mean(x[beats]),
        _std(x[beats]),
    )
    return dict(zip(HEART_FEATURES, values, strict=True))


def eda(x: Floats, sampling_rate: float) -> dict[str, float]:
    """EDA_FEATURES of a filtered skin conductance (n_times,), sampling_rate in Hz."""
    import neurokit2 as nk
    from scipy.signal import find_peaks

    phasic = nk.eda_phasic(x, sampling_rate=sampling_rate, method="highpass")["EDA_Phasic"]
    phasic = phasic.to_numpy()
    # NeuroKit2's rule, a tenth of the largest, without its error when there is no response.
    _, found = find_peaks(phasic, prominence=0)
    heights = found["prominences"]
    amplitudes = heights[heights > SMALLEST_SCR * np.max(heights, initial=0)]
    minutes = x.size / sampling_rate / 60
    times = np.arange(x.size) / sampling_rate
    values = (
        x.mean(),
        x.std(),
        np.polynomial.Polynomial.fit(times, x, 1).convert().coef[1],
        phasic.std(),
        amplitudes.size / minutes,
        _mean(amplitudes),
    )
    return dict(zip(EDA_FEATURES, map(float, values), strict=True))


def find_beats(x: Floats, sampling_rate: float, *, channel: str) -> npt.NDArray[np.int64]:
    """Samples at which the heart beats: R-peaks of an ECG, systolic peaks of a PPG."""
    import neurokit2 as nk

    find = nk.ecg_findpeaks if channel == "ECG" else nk.ppg_findpeaks
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # means over no beats, where there are none
        try:
            found = find(x, sampling_rate=sampling_rate)
        except IndexError:  # NeuroKit2 takes the first peak without asking whether there is one
            return np.array([], np.int64)
    beats = found["ECG_R_Peaks" if channel == "ECG" else "PPG_Peaks"]
    return np.asarray(beats, np.int64)


def _readable(x: Floats, sampling_rate: float) -> bool:
    long_enough = x.size >= MIN_SECONDS * sampling_rate
    return long_enough and bool(np.isfinite(x).all()) and bool(np.ptp(x) > 0)


def _mean(x: Floats) -> float:
    return float(np.mean(x)) if x.size else math.nan


def _std(x: Floats) -> float:
    """Standard deviation of a sample; NaN for fewer than two values."""
    return float(np.std(x, ddof=1)) if x.size > 1 else math.nan
