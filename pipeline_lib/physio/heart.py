"""Features of an ECG or PPG: of its samples, of its beats and of the time between them."""

import numpy as np
import numpy.typing as npt

from pipeline_lib.physio import gaps, statistics
from pipeline_lib.physio.beats import (
    Intervals,
    beat_times,
    find_beats,
    intervals_between,
    longest_stretch,
)
from pipeline_lib.physio.spectrum import SPECTRUM_FEATURES, spectrum
from pipeline_lib.physio.variability import VARIABILITY_FEATURES, variability

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

QUANTILES = (0.05, 0.25, 0.75, 0.95)
SIGNAL_FEATURES = (  # of the filtered samples, in the signal's unit; skewness, kurtosis: 1
    "heart_signal_mean",
    "heart_signal_std",
    "heart_signal_min",
    "heart_signal_max",
    "heart_signal_median",
    "heart_signal_q05",
    "heart_signal_q25",
    "heart_signal_q75",
    "heart_signal_q95",
    "heart_signal_skewness",
    "heart_signal_kurtosis",
    "heart_amplitude_mean",  # of the samples at the beats
    "heart_amplitude_std",
)
HEART_FEATURES = (*VARIABILITY_FEATURES, *SPECTRUM_FEATURES, *SIGNAL_FEATURES)


def heart_features(x: Floats, sampling_rate: float, *, channel: str) -> dict[str, float]:
    """HEART_FEATURES of a filtered signal.

    x             : (n_times,), readable (see pipeline_lib.physio.gaps), NaN where not recorded
    sampling_rate : Hz
    channel       : ECG | PPG
    """
    beats, intervals = beats_and_intervals(x, sampling_rate, channel=channel)
    stretch = longest_stretch(intervals)
    return {
        **variability(intervals, stretch=stretch),
        **spectrum(stretch),
        **_signal_features(x, beats),
    }


def beats_and_intervals(x: Floats, sampling_rate: float, *, channel: str) -> tuple[Ints, Intervals]:
    """Samples of the beats that were recorded, and the believed intervals between them."""
    filled, observed = gaps.fill(x)
    beats = find_beats(filled, sampling_rate, channel=channel)
    beats = beats[observed[beats]]
    missing = np.cumsum(~observed)[beats]
    times = beat_times(filled, beats, sampling_rate)
    return beats, intervals_between(times, unbroken=np.diff(missing) == 0)


def _signal_features(x: Floats, beats: Ints) -> dict[str, float]:
    seen, heights = x[np.isfinite(x)], x[beats]
    values = (
        seen.mean(),
        seen.std(),
        seen.min(),
        seen.max(),
        np.median(seen),
        *np.quantile(seen, QUANTILES),
        statistics.skewness(seen),
        statistics.kurtosis(seen),
        statistics.mean(heights),
        statistics.std(heights),
    )
    return dict(zip(SIGNAL_FEATURES, map(float, values), strict=True))
