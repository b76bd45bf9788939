"""Beats of the heart, and the intervals between them that can be believed."""

import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import maximum_filter1d, median_filter, minimum_filter1d

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

POSSIBLE = (0.3, 2.0)  # s between beats, 30-200 per minute; outside, a beat was missed or invented
# An interval that differs by more from its neighbourhood holds an ectopic, a missed or an invented
# beat (Karlsson et al. 2012, BioMed. Eng. OnLine 11:2, who take the mean and try 10-50 %).
LARGEST_DEVIATION = 0.3
NEIGHBOURHOOD = 9  # intervals; their median stands still where four of them are wrong
POLARITY_WINDOW = 2.0  # s, in which there is a beat (NeuroKit2)
LONGEST_GAP = 3.0  # s between believed intervals that a spectrum may bridge, one to four beats [?]


@dataclass(frozen=True)
class Intervals:
    """The believed intervals between beats.

    ends       : (n,), s, when each one ends
    lengths    : (n,), s
    follows    : (n,), True where it begins with the end of the one before
    n_rejected : intervals between found beats that are not believed
    """

    ends: Floats
    lengths: Floats
    follows: Bools
    n_rejected: int

    def steps(self) -> Floats:
        """Differences of successive intervals, s."""
        return np.diff(self.lengths)[self.follows[1:]]


def find_beats(x: Floats, sampling_rate: float, *, channel: str) -> Ints:
    """Samples at which the heart beats: R-peaks of an ECG, systolic peaks of a PPG.

    x             : (n_times,), filtered: an ECG has no drift. An ECG may be upside down, as from
                    reversed electrodes (see `is_reversed`); a PPG rises with each pulse
    sampling_rate : Hz
    """
    import neurokit2 as nk

    find = nk.ecg_findpeaks if channel == "ECG" else nk.ppg_findpeaks
    if channel == "ECG" and is_reversed(x, sampling_rate):
        x = -x
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # means over no beats, where there are none
        try:
            found = find(x, sampling_rate=sampling_rate)
        except IndexError:  # NeuroKit2 takes the first peak without asking whether there is one
            return np.array([], np.int64)
    beats = found["ECG_R_Peaks" if channel == "ECG" else "PPG_Peaks"]
    return np.asarray(beats, np.int64)


def is_reversed(ecg: Floats, sampling_rate: float) -> bool:
    """Whether an ECG (n_times,) points down: what is farthest from its mean, of any 2 s, does.

    The rule is NeuroKit2's (`ecg_invert`): the median over all windows is below 0. Its own code
    takes memory for each window. Of an ECG and its negative one is reversed.
    """
    x = ecg - ecg.mean()
    width = round(POLARITY_WINDOW * sampling_rate)
    highest, lowest = maximum_filter1d(x, width), minimum_filter1d(x, width)
    farthest = np.where(highest >= -lowest, highest, lowest)
    return bool(np.median(farthest) < 0)


def beat_times(x: Floats, beats: Ints, sampling_rate: float) -> Floats:
    """When the beats are, in s, between samples: the apex of a parabola through each peak.

    Peaks of a reversed ECG point down.

    Below 250 Hz the Task Force (1996) asks for it: a sample of 128 Hz lasts 8 ms, which alone
    would make an RMSSD of about 5 ms.
    """
    inner = beats.clip(1, x.size - 2)
    before, at, after = x[inner - 1], x[inner], x[inner + 1]
    bend = before - 2 * at + after
    up = (bend < 0) & (at >= before) & (at >= after)
    down = (bend > 0) & (at <= before) & (at <= after)
    is_peak = (up | down) & (inner == beats)
    shift: Floats = np.divide(before - after, 2 * bend, out=np.zeros(beats.size), where=is_peak)
    times: Floats = (beats + shift) / sampling_rate
    return times


def intervals_between(times: Floats, *, unbroken: Bools | None = None) -> Intervals:
    """The believed intervals between beats at `times` (n_beats,), s, which rise.

    unbroken : (n_beats - 1,), False where the signal between two beats was not recorded whole
    """
    lengths = np.diff(times)
    believed = (lengths >= POSSIBLE[0]) & (lengths <= POSSIBLE[1])
    if unbroken is not None:
        believed &= unbroken
    if believed.any():
        usual = median_filter(lengths[believed], NEIGHBOURHOOD, mode="nearest")
        believed[believed] = np.abs(lengths[believed] / usual - 1) <= LARGEST_DEVIATION
    follows = believed & np.concatenate([[False], believed[:-1]])[: believed.size]
    return Intervals(
        ends=times[1:][believed],
        lengths=lengths[believed],
        follows=follows[believed],
        n_rejected=int((~believed).sum()),
    )


def longest_stretch(intervals: Intervals) -> Intervals:
    """The part without a gap of more than LONGEST_GAP that lasts longest."""
    if not intervals.lengths.size:
        return intervals
    starts = intervals.ends - intervals.lengths
    breaks = np.flatnonzero(starts[1:] - intervals.ends[:-1] > LONGEST_GAP) + 1
    first, last = np.r_[0, breaks], np.r_[breaks, starts.size] - 1
    longest = int(np.argmax(intervals.ends[last] - starts[first]))
    part = slice(first[longest], last[longest] + 1)
    return Intervals(
        intervals.ends[part],
        intervals.lengths[part],
        intervals.follows[part],
        intervals.n_rejected,
    )
