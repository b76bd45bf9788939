"""How far a filtered channel can be trusted: one number from 0 (noise, nothing) to 1 (clean).

ECG and PPG: beats that follow each other at a possible pace and look alike, after Orphanidou et
al. 2015, "Signal-quality indices for the electrocardiogram and photoplethysmogram", IEEE J.
Biomed. Health Inform. 19(3), whose yes or no is made a number here. EDA: samples in a possible
range, changing at a possible rate, after Kleckner et al. 2018, "Simple, transparent, and
flexible automated quality assessment procedures for ambulatory electrodermal activity data",
IEEE Trans. Biomed. Eng. 65(7).
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.ndimage import maximum_filter1d, minimum_filter1d, uniform_filter1d
from scipy.signal import find_peaks

from pipeline_lib.recordings import Signal

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

INTERVAL = (60 / 180, 60 / 40)  # s between beats: 180 and 40 a minute (Orphanidou 2015)
LARGEST_CHANGE = 2.2  # longest over shortest of two neighbouring intervals (Orphanidou 2015)
ENERGY_WIDTH = 0.12  # s, about one QRS complex
EDA_RANGE = (0.05, 60.0)  # uS (Kleckner 2018)
EDA_RATE = 10.0  # uS/s (Kleckner 2018)
FASTEST_SPREAD = 2.0  # spreads (5th to 95th percentile) a second: a response rises in about one
FLAT = 1.0  # s without any change: a lost electrode or a clipped amplifier
STILL = 1e-5  # of the range of the whole; filtering spreads the edges of a flat stretch


def quality(signal: Signal) -> float:
    """Quality of a filtered channel, 0 to 1; 0 if it is too short to tell."""
    x, rate = signal.samples, signal.sampling_rate
    if x.size < 2 * INTERVAL[1] * rate or np.ptp(x) == 0:
        return 0.0
    if signal.channel == "EDA":
        return eda_quality(x, rate, in_microsiemens=signal.unit == "uS")
    return heart_quality(x, rate, peaks=_r_peaks(x, rate) if signal.channel == "ECG" else None)


def heart_quality(x: Floats, sampling_rate: float, *, peaks: Ints | None = None) -> float:
    """Share of the time between possible beats, times the beats' likeness to their median.

    x             : (n_times,), any unit
    sampling_rate : Hz
    peaks         : samples of the beats; None: the maxima of x, as in a PPG
    """
    if peaks is None:
        peaks = _pulse_peaks(x, sampling_rate)
    if peaks.size < 3:
        return 0.0
    intervals = np.diff(peaks) / sampling_rate
    possible = (intervals >= INTERVAL[0]) & (intervals <= INTERVAL[1])
    change = np.maximum(intervals[1:] / intervals[:-1], intervals[:-1] / intervals[1:])
    possible[1:] &= change <= LARGEST_CHANGE
    # On average the first and the last beat leave half an interval each at the ends.
    between_ends = x.size / sampling_rate - float(np.median(intervals))
    covered = min(1.0, float(intervals[possible].sum()) / between_ends)
    correlations = beat_correlations(x, peaks)
    likeness = float(np.mean(np.clip(correlations, 0, 1) ** 2)) if correlations.size else 0.0
    return covered * likeness


def eda_quality(x: Floats, sampling_rate: float, *, in_microsiemens: bool) -> float:
    """Share of samples that are no artefact: not flat, not jumping, in range if the unit is known.

    x             : (n_times,), uS, or any unit and offset if not `in_microsiemens`; its rate of
                    change is then judged against its own spread
    sampling_rate : Hz
    """
    return float((~eda_artefacts(x, sampling_rate, in_microsiemens=in_microsiemens).any()).mean())


class EDAArtefacts(NamedTuple):
    """Samples (n_times,) that are no skin conductance, by the rule that they break."""

    out_of_range: Bools  # all False if the unit is not known
    fast: Bools  # changes faster than skin does
    flat: Bools

    def any(self) -> Bools:
        return self.out_of_range | self.fast | self.flat


def eda_artefacts(x: Floats, sampling_rate: float, *, in_microsiemens: bool) -> EDAArtefacts:
    """Judge each sample, as `eda_quality` does."""
    steps = np.abs(np.diff(x, prepend=x[0])) * sampling_rate
    spread = float(np.subtract(*np.percentile(x, [95, 5])))
    fastest = EDA_RATE if in_microsiemens else FASTEST_SPREAD * spread
    outside = (x < EDA_RANGE[0]) | (x > EDA_RANGE[1]) if in_microsiemens else np.zeros(x.size, bool)
    return EDAArtefacts(outside, steps > fastest, _flat(x, round(FLAT * sampling_rate)))


def _flat(x: Floats, width: int) -> npt.NDArray[np.bool_]:
    """Samples inside a stretch of `width` that does not move by a thousandth of the whole range."""
    window = 2 * (width // 2) + 1
    moves = maximum_filter1d(x, window) - minimum_filter1d(x, window)
    still: npt.NDArray[np.bool_] = maximum_filter1d(moves < STILL * np.ptp(x), window)
    return still


def beat_correlations(x: Floats, peaks: Ints) -> Floats:
    """Correlation of each beat with the median beat, -1 to 1; none for fewer than three beats.

    x     : (n_times,), any unit
    peaks : (n_beats,), samples; beats that the ends cut are left out
    """
    half_width = int(np.median(np.diff(peaks))) // 2 if peaks.size > 1 else 0
    inside = peaks[(peaks >= half_width) & (peaks < x.size - half_width)]
    if inside.size < 3 or half_width < 2:
        return np.array([])
    beats = x[inside[:, None] + np.arange(-half_width, half_width)]
    template = np.median(beats, axis=0)
    beats = beats - beats.mean(axis=1, keepdims=True)
    template = template - template.mean()
    norms = np.linalg.norm(beats, axis=1) * np.linalg.norm(template)
    products = beats @ template
    correlations: Floats = np.divide(products, norms, out=np.zeros_like(products), where=norms > 0)
    return correlations


def _r_peaks(x: Floats, sampling_rate: float) -> Ints:
    """Where the slope has most energy, moved to the largest deflection there, up or down."""
    energy = uniform_filter1d(np.gradient(x) ** 2, max(1, round(ENERGY_WIDTH * sampling_rate)))
    beats, _ = find_peaks(
        energy, height=0.3 * np.percentile(energy, 98), distance=INTERVAL[0] * sampling_rate
    )
    reach = round(ENERGY_WIDTH * sampling_rate)
    beats = beats[(beats >= reach) & (beats < x.size - reach)]
    around = np.abs(x[beats[:, None] + np.arange(-reach, reach + 1)])
    peaks: Ints = np.unique(beats + around.argmax(axis=1) - reach)
    return peaks


def _pulse_peaks(x: Floats, sampling_rate: float) -> Ints:
    prominence = 0.3 * np.subtract(*np.percentile(x, [95, 5]))
    peaks: Ints
    peaks, _ = find_peaks(x, prominence=prominence, distance=INTERVAL[0] * sampling_rate)
    return peaks
