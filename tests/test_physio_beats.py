"""Beats between samples, and which intervals between them are believed."""

import neurokit2 as nk
import numpy as np
import pytest
from hypothesis import given, strategies as st

from pipeline_lib.physio.beats import (
    beat_times,
    find_beats,
    intervals_between,
    is_reversed,
    longest_stretch,
)
from pipeline_lib.physio.filters import butterworth, resample

STEADY = np.arange(0, 60, 0.8)  # s


def test_beats_lie_between_samples():
    apex = 50.3
    x = 1 - (np.arange(100.0) - apex) ** 2 / 100
    assert beat_times(x, np.array([50]), 128.0)[0] * 128 == pytest.approx(apex)


def test_beats_at_the_ends_and_on_plateaus_stay_where_they_are():
    x = np.array([3.0, 1, 2, 2, 2, 1, 5])
    np.testing.assert_array_equal(beat_times(x, np.array([0, 3, 6]), 1.0), [0, 3, 6])


@pytest.mark.parametrize("heart_rate", [75, 95])
def test_128_hz_tell_the_variability_of_1000(heart_rate):
    """Quantised to 8 ms, 95 a minute had an RMSSD 7 % too large."""
    drawn = {"heart_rate": heart_rate, "heart_rate_std": 3, "random_state": 3}
    x = nk.ecg_simulate(60, sampling_rate=1000, noise=0.01, **drawn)
    low = resample(x, 1000.0, to=128.0)

    def rmssd(times):
        return np.sqrt(np.mean(np.diff(np.diff(times)) ** 2))

    found = rmssd(beat_times(low, find_beats(low, 128.0, channel="ECG"), 128.0))
    assert found == pytest.approx(rmssd(find_beats(x, 1000.0, channel="ECG") / 1000), rel=0.03)


@pytest.mark.parametrize("rate", [128.0, 1000.0])
def test_a_reversed_ecg_beats_when_the_heart_does(rate):
    x = nk.ecg_simulate(60, sampling_rate=int(rate), noise=0.05, random_state=3)
    upright, upside_down = (
        beat_times(y, find_beats(y, rate, channel="ECG"), rate) for y in (x, -x)
    )
    assert upright.size > 60
    np.testing.assert_allclose(upside_down, upright, rtol=0, atol=1e-9)


def test_polarity_is_neurokits(asset):
    rng = np.random.default_rng(0)
    ecg = np.load(asset("ECG")).astype(np.float64)[: 60 * 1000]
    real = butterworth(resample(ecg, 1000.0, to=128.0), 128.0, low=0.5, high=None, order=5)
    for x in (real, -real, nk.ecg_simulate(30, sampling_rate=128, noise=0.2, random_state=1)):
        noisy = x + 0.1 * x.std() * rng.normal(size=x.size)
        _, expected = nk.ecg_invert(noisy, sampling_rate=128)
        assert is_reversed(noisy, 128.0) == expected


@pytest.mark.parametrize("sign", [1, -1])
def test_heart_rate_of_the_real_recording(asset, sign):
    ecg = sign * np.load(asset("ECG")).astype(np.float64)[: 5 * 60 * 1000]
    x = butterworth(resample(ecg, 1000.0, to=128.0), 128.0, low=0.5, high=None, order=5)
    beats = find_beats(x, 128.0, channel="ECG")
    assert 60 / np.diff(beat_times(x, beats, 128.0)).mean() == pytest.approx(78, abs=1)
    assert np.mean(sign * x[beats] > np.percentile(sign * x, 95)) > 0.95  # R, not what follows


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_few_beats_have_few_intervals(n):
    intervals = intervals_between(STEADY[:n])
    assert intervals.lengths.size == intervals.follows.size == max(0, n - 1)
    assert intervals.steps().size == max(0, n - 2)


@pytest.mark.parametrize(
    ("times", "n_rejected", "n_steps"),
    [
        (np.delete(STEADY, 30), 1, 70),  # missed: one interval of 1.6 s
        (np.sort(np.append(STEADY, STEADY[30] + 0.35)), 2, 71),  # invented, both parts possible
        (np.where(STEADY[30] == STEADY, STEADY[30] - 0.3, STEADY), 2, 70),  # ectopic
        (np.delete(STEADY, range(30, 40)), 1, 61),  # a pause of 8.8 s
    ],
    ids=["missed", "invented", "ectopic", "pause"],
)
def test_wrong_beats_cost_their_intervals(times, n_rejected, n_steps):
    intervals = intervals_between(times)
    assert intervals.n_rejected == n_rejected
    np.testing.assert_allclose(intervals.lengths, 0.8)
    assert intervals.steps().size == n_steps


def test_a_heart_that_speeds_up_at_once_is_believed():
    times = np.cumsum(np.r_[np.full(30, 1.0), 0.8, np.full(30, 0.65)])
    assert intervals_between(times).n_rejected == 0


def test_an_interval_over_a_gap_is_none():
    unbroken = np.arange(STEADY.size - 1) != 20
    intervals = intervals_between(STEADY, unbroken=unbroken)
    assert intervals.n_rejected == 1
    assert (~intervals.follows).sum() == 2  # the first of all, and the first after the gap


def test_the_longest_stretch_bridges_a_missed_beat_and_no_pause():
    missed, pause = range(60, 61), range(20, 26)
    stretch = longest_stretch(intervals_between(np.delete(STEADY, [*pause, *missed])))
    assert stretch.ends[0] - stretch.lengths[0] == pytest.approx(STEADY[26])
    assert stretch.ends[-1] == STEADY[-1]


@given(st.lists(st.floats(0.01, 5), max_size=60))
def test_what_is_believed_is_possible_and_in_order(lengths):
    intervals = intervals_between(np.cumsum([0.0, *lengths]))
    assert intervals.lengths.size + intervals.n_rejected == len(lengths)
    assert ((intervals.lengths > 0.29) & (intervals.lengths < 2.01)).all()
    assert (np.diff(intervals.ends) > 0).all()
    assert longest_stretch(intervals).lengths.size <= intervals.lengths.size
