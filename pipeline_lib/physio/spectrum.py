"""Heart-rate variability by frequency: power of the intervals in the Task Force's bands.

Task Force of the ESC and NASPE (1996), Eur. Heart J. 17. Intervals come at beats, not at a rate:
a cubic spline takes them to 4 Hz on the axis of real time (StressID took them for 1000 Hz), then
Welch's periodogram, Hann window, each window without its linear trend. NeuroKit2 has the same,
but halves the window of short recordings, which runs LF into HF, and gives no peaks. All bands
but ULF come from the same windows, so that their powers add up.
"""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicSpline
from scipy.signal import welch

from pipeline_lib.physio.beats import Intervals
from pipeline_lib.physio.statistics import ratio
from pipeline_lib.physio.variability import AT_ENDS

Floats = npt.NDArray[np.float64]

RATE = 4.0  # Hz, of the evenly spaced intervals
WINDOW = 300.0  # s, Welch's; a shorter recording is one window
PADDING = 4  # transforms are so many times longer than windows: peaks between their lines
BEATS_A_CYCLE = 2.0  # at least, or beats cannot show it


class Band(NamedTuple):
    low: float  # Hz
    high: float  # Hz
    seconds: float  # that a recording must last


# HF takes about 1 min, LF about 2, total power 5, ULF 24 h (Task Force 1996, which calls VLF of
# 5 min dubious, but lists it; nothing below).
BANDS = {
    "heart_ULF": Band(0.0, 0.0033, 24 * 3600.0),
    "heart_VLF": Band(0.0033, 0.04, 300.0),
    "heart_LF": Band(0.04, 0.15, 120.0),
    "heart_HF": Band(0.15, 0.4, 60.0),
    "heart_VHF": Band(0.4, 0.5, 60.0),
    "heart_total_power": Band(0.0, 0.4, 300.0),
}
SPECTRUM_FEATURES = (
    *BANDS,  # s^2
    "heart_LF_HF",  # LF / HF
    "heart_LF_share",  # LF / (LF + HF), 0-1
    "heart_HF_share",
    "heart_LF_peak",  # Hz
    "heart_HF_peak",
)


def spectrum(stretch: Intervals) -> dict[str, float]:
    """SPECTRUM_FEATURES of intervals without a gap; NaN where they do not last for a band.

    NaN as well is a band above half the mean heart rate: beats are its samples.
    """
    features = dict.fromkeys(SPECTRUM_FEATURES, math.nan)
    lengths, ends = stretch.lengths, stretch.ends
    shortest = min(band.seconds for band in BANDS.values())
    if lengths.size < 4 or ends[-1] - ends[0] + lengths[0] < AT_ENDS * shortest:
        return features
    seconds = float(ends[-1] - ends[0] + lengths[0])
    grid = np.arange(ends[0], ends[-1], 1 / RATE)
    evenly = CubicSpline(ends, lengths)(grid)
    for name, band in BANDS.items():
        if seconds < AT_ENDS * band.seconds or band.high * BEATS_A_CYCLE > 1 / lengths.mean():
            continue
        features[name], peak = power(evenly, band)
        if f"{name}_peak" in features:
            features[f"{name}_peak"] = peak
    low, high = features["heart_LF"], features["heart_HF"]
    return features | {
        "heart_LF_HF": ratio(low, high),
        "heart_LF_share": ratio(low, low + high),
        "heart_HF_share": ratio(high, low + high),
    }


def power(evenly: Floats, band: Band) -> tuple[float, float]:
    """Power in a band, in the square of the signal's unit, and the frequency of its peak in Hz.

    evenly : (n_times,) at RATE
    """
    width = min(evenly.size, round(max(WINDOW, band.seconds) * RATE))
    frequencies, density = welch(
        evenly, RATE, nperseg=width, nfft=PADDING * width, detrend="linear"
    )
    inside = (frequencies >= band.low) & (frequencies < band.high)
    density, frequencies = density[inside], frequencies[inside]
    total = float(density.sum() * (frequencies[1] - frequencies[0]))
    return total, float(frequencies[density.argmax()]) if total > 0 else math.nan
