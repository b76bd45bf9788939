"""By how much a video is late against the signals: two views of one pulse, shifted until they fit.

Beats repeat, so waves that fit at the true offset fit nearly as well a beat away. What tells the
offsets apart is that no two beats are alike in length: the longer the recording, and the more the
heart rate changes in it, the surer. (The heart rate itself, correlated at each of the offsets,
added nothing: it changes too slowly to tell one beat from the next.)

Compression holds colours back: at H.264's quantiser 24 the twin's pulse comes 0.06 s late.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter1d
from scipy.signal import find_peaks

from pipeline_lib.physio.beats import find_beats
from pipeline_lib.physio.filters import butterworth, resample
from pipeline_lib.recordings import RecordingError, Signal

Floats = npt.NDArray[np.float64]

RATE = 60.0  # Hz, of the common axis
BAND = (0.7, 3.0)  # Hz: 42 - 180 beats a minute
ORDER = 3
# The blood that an R-peak sends out fills the skin of the face to its fullest about so much
# later; people differ by 0.1 s or so [?]. A finger's PPG is taken to beat with the face.
ECG_LEADS = 0.25  # s
ECG_RATE = 128.0  # Hz, at which beats are sought
LEVELLING = 4.0  # s, over which strength is evened out, so that no jerk outweighs the beats
SHORTEST = 10.0  # s that both must cover
LARGEST = 0.999  # r squared, for a perfect fit would outweigh all
BEATS = 1.0  # a second: so many independent observations are in a wave
BEYOND = 2.0  # times as far as the offset may be, rivals are sought: the truth may lie there


@dataclass(frozen=True)
class Wave:
    """A pulse on the common axis."""

    first: int  # sample, counted at RATE from the onset of the stimulus
    samples: Floats

    @property
    def end(self) -> int:
        return self.first + len(self.samples)


@dataclass(frozen=True)
class Estimate:
    offset: float  # s by which the video is late: what happens at t is shown at t + offset
    # Correlation of the waves there, times the probability that it is this one of the offsets
    # at which they fit.
    confidence: float


def from_samples(x: Floats, sampling_rate: float, *, start: float) -> Wave:
    """A pulse wave, PPG or colour, that rises with the volume of blood, on the common axis.

    x     : (n_times,), any unit
    start : s, the first sample

    Raises RecordingError if it lasts less than SHORTEST s, or its rate is too low for the band.
    """
    _check(x, sampling_rate)
    beating = butterworth(x, sampling_rate, low=BAND[0], high=BAND[1], order=ORDER)
    return _on_axis(start + np.arange(len(x)) / sampling_rate, beating)


def from_beats(beats: Floats) -> Wave:
    """A wave that is highest at each beat; beats: (n_beats,) s, rising.

    Raises RecordingError if there are fewer than two.
    """
    if len(beats) < 2:
        raise RecordingError(f"{len(beats)} beats found, too few for a pulse")
    times = np.arange(np.ceil(beats[0] * RATE), np.floor(beats[-1] * RATE) + 1) / RATE
    return _on_axis(times, np.cos(2 * np.pi * np.interp(times, beats, np.arange(len(beats)))))


def expected_wave(heart: Signal) -> Wave:
    """The pulse that a PPG, or the beats of an ECG, let expect in the face.

    Raises RecordingError as `from_samples`, or if fewer than two beats are found.
    """
    if heart.channel != "ECG":
        return from_samples(heart.samples, heart.sampling_rate, start=heart.start)
    _check(heart.samples, heart.sampling_rate)
    x = resample(heart.samples, heart.sampling_rate, to=ECG_RATE)
    beats = find_beats(
        butterworth(x, ECG_RATE, low=0.5, high=None, order=5), ECG_RATE, channel="ECG"
    )
    return from_beats(heart.start + beats / ECG_RATE + ECG_LEADS)


def estimate_offset(video: Wave, expected: Wave, *, max_offset: float) -> Estimate | None:
    """Find the offset, within max_offset s to either side; None if the waves fit at none.

    Raises RecordingError if they do not have SHORTEST s in common at every offset.
    """
    reach = round(BEYOND * max_offset * RATE)
    common = min(video.end, expected.end) - max(video.first, expected.first)
    if common - reach < SHORTEST * RATE:
        raise RecordingError(
            f"video and heart have {max(common, 0) / RATE:.1f} s in common, below "
            f"{SHORTEST + BEYOND * max_offset:g} s"
        )
    lags = np.arange(-reach - 1, reach + 2)
    fits = _correlations(video, expected, lags)
    peaks = find_peaks(fits, height=0.0)[0]
    allowed = peaks[np.abs(lags[peaks]) <= max_offset * RATE]
    if not allowed.size:
        return None
    best = int(allowed[np.argmax(fits[allowed])])
    # The log likelihood of a normal fit grows by this with each observation.
    information = -0.5 * np.log1p(-(fits[peaks] ** 2).clip(max=LARGEST))
    likelihood = np.exp(BEATS * common / RATE * (information - information.max()))
    probability = likelihood[np.searchsorted(peaks, best)] / likelihood.sum()
    return Estimate(
        offset=float((lags[best] + _vertex(*fits[best - 1 : best + 2])) / RATE),
        confidence=float(fits[best] * probability),
    )


def _check(x: Floats, sampling_rate: float) -> None:
    if sampling_rate <= 2 * BAND[1]:
        raise RecordingError(f"{sampling_rate:.4g} Hz is too low to show a pulse")
    if len(x) < SHORTEST * sampling_rate:
        raise RecordingError(
            f"{len(x) / sampling_rate:.1f} s are too short to show a pulse, below {SHORTEST:g} s"
        )


def _on_axis(times: Floats, x: Floats) -> Wave:
    """Samples at whole multiples of 1 / RATE, of even strength."""
    first, last = int(np.ceil(times[0] * RATE)), int(np.floor(times[-1] * RATE))
    samples = np.interp(np.arange(first, last + 1) / RATE, times, x)
    strength = np.sqrt(uniform_filter1d(samples**2, round(LEVELLING * RATE)))
    return Wave(first, np.divide(samples, strength, out=0 * samples, where=strength > 0))


def _correlations(video: Wave, expected: Wave, lags: npt.NDArray[np.int_]) -> Floats:
    """Pearson's r of the video with what is expected `lag` samples earlier; 0 of constants."""
    found = []
    for lag in lags:
        first = max(video.first, expected.first + lag)
        end = min(video.end, expected.end + lag)
        x = video.samples[first - video.first : end - video.first]
        y = expected.samples[first - lag - expected.first : end - lag - expected.first]
        x, y = x - x.mean(), y - y.mean()
        norm = np.linalg.norm(x) * np.linalg.norm(y)
        found.append(float(x @ y / norm) if norm > 0 else 0.0)
    return np.array(found)


def _vertex(left: float, middle: float, right: float) -> float:
    """Where a parabola through three equally spaced values is highest, from the middle one."""
    return (left - right) / (2 * (left - 2 * middle + right))
