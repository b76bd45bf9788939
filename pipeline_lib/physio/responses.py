"""Skin-conductance responses: where they are, how high and how fast (Boucsein et al. 2012)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.signal import find_peaks

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SMALLEST = 0.1  # of the largest in the recording, in the phasic part, as in NeuroKit2
SMALLEST_RISE = 0.01  # of the same, in the signal: the filter makes bumps where nothing rises
SMALLEST_MICROSIEMENS = 0.01  # (Boucsein et al. 2012, Psychophysiology 49), where the unit is known
LONGEST_RISE = 5.0  # s from onset to peak (Boucsein et al. 2012)
RECOVERED = 0.5  # of its height lost


@dataclass(frozen=True)
class Responses:
    """All (n,), in the order of time.

    peaks      : samples
    amplitudes : from onset to peak, in the signal's unit
    rises      : s, from onset to peak
    recoveries : s, from the peak until half the amplitude is lost; NaN if another comes first
    """

    peaks: Ints
    amplitudes: Floats
    rises: Floats
    recoveries: Floats


def find_responses(
    x: Floats, phasic: Floats, sampling_rate: float, *, in_microsiemens: bool
) -> Responses:
    """Find the responses in the phasic part, and measure them in the whole conductance.

    x      : (n_times,), uS, or any unit and offset if not `in_microsiemens`
    phasic : (n_times,), its fast part

    NeuroKit2 has the same rule of a tenth of the largest; it raises an error where there is no
    response, and measures the phasic part, from which the filter has taken some of the height.
    """
    peaks, found = find_peaks(phasic, prominence=0)
    heights = found["prominences"]
    largest = float(np.max(heights, initial=0))
    peaks = peaks[heights > SMALLEST * largest]
    limits = np.r_[peaks, x.size]
    measured = [
        _measure(
            x[_rise_begin(peaks, i, sampling_rate) : peak + 1],
            x[peak : limits[i + 1]],
            sampling_rate,
        )
        for i, peak in enumerate(peaks)
    ]
    table = np.array(measured, np.float64).reshape(-1, 3)
    smallest = max(SMALLEST_RISE * largest, SMALLEST_MICROSIEMENS if in_microsiemens else 0.0)
    rises = table[:, 0] > smallest
    return Responses(peaks[rises].astype(np.int64), *table[rises].T)


def _rise_begin(peaks: Ints, i: int, sampling_rate: float) -> int:
    """The first sample that can belong to the rise: not before the peak of the one before."""
    return max(int(peaks[i]) - round(LONGEST_RISE * sampling_rate), int(peaks[i - 1]) if i else 0)


def _measure(rise: Floats, fall: Floats, sampling_rate: float) -> tuple[float, float, float]:
    """Amplitude, rise time and half-recovery time of a response; both stretches hold its peak."""
    # The kink: furthest below the chord, which a drift of the whole does not move.
    below = rise - np.linspace(rise[0], rise[-1], rise.size)
    onset = int(below.argmin())
    amplitude = float(rise[-1] - rise[onset])
    recovered = np.flatnonzero(fall <= rise[-1] - RECOVERED * amplitude)
    return (
        amplitude,
        (rise.size - 1 - onset) / sampling_rate,
        recovered[0] / sampling_rate if recovered.size and amplitude > 0 else np.nan,
    )
