"""Two views of one heart are brought together; what cannot be told apart is not believed."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from pipeline_lib.recordings import RecordingError, Signal
from pipeline_lib.sync import offset as sync
from pipeline_lib.sync.offset import Estimate, estimate_offset, expected_wave, from_samples

SECONDS = 30.0
LEAD = 5.0  # s, for which the heart beats before and after


def beats(seed: int, *, variability: float = 0.05) -> np.ndarray:
    """s, of a heart whose intervals differ by this share, and slowly by the same."""
    rng = np.random.default_rng(seed)
    n_beats = 60
    slow = np.sin(2 * np.pi * (np.arange(n_beats) / 17 + rng.random()))
    intervals = 0.8 * (1 + variability * (rng.normal(size=n_beats) + slow))
    return np.cumsum(intervals) - LEAD


def blood(beats: np.ndarray, times: np.ndarray, *, noise: float = 0.0, seed: int = 0) -> np.ndarray:
    """A wave of height 1 that is fullest at the beats."""
    wave = np.exp(-0.5 * ((times[:, None] - beats) / 0.12) ** 2).sum(axis=1)
    return wave + np.random.default_rng(seed).normal(0, noise, len(times))


def ecg(beats: np.ndarray, times: np.ndarray) -> np.ndarray:
    def wave(delay: float, width: float, height: float) -> np.ndarray:
        return height * np.exp(-0.5 * ((times[:, None] - beats - delay) / width) ** 2).sum(axis=1)

    return wave(0, 0.012, 1) + wave(-0.03, 0.01, -0.15) + wave(0.3, 0.05, 0.25)


def ppg(beats: np.ndarray, *, rate: float = 64.0, start: float = -1.0) -> Signal:
    times = start + np.arange(round((SECONDS + 1) * rate)) / rate
    return Signal("PPG", "a.u.", rate, start, blood(beats, times))


def estimated(
    heart: Signal, beats: np.ndarray, *, offset: float, noise: float = 0.5, rate: float = 30.0
) -> Estimate:
    """Of a video that is late by `offset`."""
    times = 0.2 + np.arange(round(SECONDS * rate)) / rate
    seen = from_samples(blood(beats, times - offset, noise=noise), rate, start=0.2)
    found = estimate_offset(seen, expected_wave(heart), max_offset=2.0)
    assert found is not None
    return found


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.floats(-1.9, 1.9), st.sampled_from([25.0, 32.0, 128.0, 512.0]))
def test_what_is_believed_of_video_against_ppg_is_right(seed, offset, rate):
    found = estimated(ppg(beats(seed), rate=rate), beats(seed), offset=offset)
    assert found.confidence < 0.5 or found.offset == pytest.approx(offset, abs=0.05)


def test_video_against_ppg_is_nearly_always_believed():
    offsets = np.random.default_rng(0).uniform(-1.9, 1.9, 40)
    found = [estimated(ppg(beats(i)), beats(i), offset=x) for i, x in enumerate(offsets)]
    assert sum(estimate.confidence > 0.6 for estimate in found) >= 38


@pytest.mark.parametrize(("seed", "offset"), [(0, 0.4), (1, -0.7), (2, 1.5), (3, 0.0)])
def test_video_against_ecg_allows_for_the_way_of_the_blood(seed, offset):
    rate, heart = 250.0, beats(seed)
    times = -1 + np.arange(round((SECONDS + 1) * rate)) / rate
    signal = Signal("ECG", "mV", rate, -1.0, ecg(heart, times))
    found = estimated(signal, heart + sync.ECG_LEADS, offset=offset)
    assert found.offset == pytest.approx(offset, abs=0.05)
    assert found.confidence > 0.5


def test_metronome_cannot_be_placed():
    steady = np.arange(-LEAD, SECONDS + LEAD, 0.8)
    for offset in (0.0, 0.4, -0.7):
        assert estimated(ppg(steady), steady, offset=offset).confidence < 0.45
    varied = estimated(ppg(beats(0)), beats(0), offset=0.4)
    assert varied.confidence > 0.7  # the same noise, but beats of different lengths


@pytest.mark.parametrize("seed", range(8))
def test_noise_and_offsets_too_large_are_not_believed(seed):
    noise = estimated(ppg(beats(seed)), np.empty(0), offset=0.0, noise=1.0)
    away = estimated(ppg(beats(seed)), beats(seed), offset=3.7)
    assert max(noise.confidence, away.confidence) < 0.2


def test_other_hearts_of_the_same_pace_are_hardly_ever_believed():
    confidences = [
        estimated(ppg(beats(seed)), beats(seed + 100), offset=0.0).confidence for seed in range(40)
    ]
    assert np.median(confidences) < 0.2
    assert np.mean(np.array(confidences) > 0.5) <= 0.05


def test_noise_costs_confidence():
    confidences = [
        estimated(ppg(beats(5)), beats(5), offset=0.4, noise=noise).confidence
        for noise in (0.1, 1.0, 4.0)
    ]
    assert confidences == sorted(confidences, reverse=True)
    assert confidences[0] > 0.9 > 0.3 > confidences[-1]


def test_jerk_outweighs_no_beats():
    heart, rate = beats(6), 30.0
    times = np.arange(round(SECONDS * rate)) / rate
    seen = blood(heart, times - 0.4)
    seen += 100 * np.sin(4 * np.pi * times) * ((times > 10) & (times < 11))
    found = estimate_offset(
        from_samples(seen, rate, start=0.0), expected_wave(ppg(heart)), max_offset=2.0
    )
    assert found.offset == pytest.approx(0.4, abs=0.05)
    assert found.confidence > 0.6


def test_still_picture_fits_nowhere():
    still = from_samples(np.zeros(900), 30.0, start=0.0)
    assert estimate_offset(still, expected_wave(ppg(beats(0))), max_offset=2.0) is None


@pytest.mark.parametrize(
    ("rate", "seconds", "reason"),
    [(6.0, 30, "6 Hz is too low"), (30.0, 9, "9.0 s are too short"), (30.0, 11, "in common")],
)
def test_too_little_is_an_error(rate, seconds, reason):
    x = np.random.default_rng(0).normal(size=round(rate * seconds))
    with pytest.raises(RecordingError, match=reason):
        estimate_offset(
            from_samples(x, rate, start=0.0), expected_wave(ppg(beats(0))), max_offset=2.0
        )


def test_ecg_without_beats_is_an_error():
    flat = np.zeros(5000)
    flat[2500] = 1e-3
    with pytest.raises(RecordingError, match="beats found"):
        expected_wave(Signal("ECG", "mV", 250.0, 0.0, flat))
