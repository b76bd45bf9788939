"""The quality index orders what the eye orders, and survives what breaks detectors."""

import neurokit2 as nk
import numpy as np
import pytest

from pipeline_lib.physio.quality import quality
from pipeline_lib.recordings import Signal

RATE = 128.0


def noise(scale, *, seconds=10, seed=0):
    return scale * np.random.default_rng(seed).normal(size=int(seconds * RATE))


def heart(channel, *, rate=70):
    simulate = nk.ecg_simulate if channel == "ECG" else nk.ppg_simulate
    return simulate(10, sampling_rate=128, heart_rate=rate, random_state=1)


def of(channel, x, unit="mV"):
    return quality(Signal(channel, unit, RATE, 0.0, np.asarray(x, dtype=np.float64)))


@pytest.mark.parametrize("rate", [50, 75, 110, 150])
@pytest.mark.parametrize("channel", ["ECG", "PPG"])
def test_heart_quality_falls_with_noise(channel, rate):
    clean = heart(channel, rate=rate)
    spread = np.ptp(clean)
    found = [of(channel, clean + noise(scale * spread)) for scale in (0.0, 0.05, 2.0)]
    assert found == sorted(found, reverse=True)
    assert found[0] > 0.85
    assert found[2] < 0.45


def test_an_inverted_ecg_is_as_good():
    assert of("ECG", -heart("ECG")) > 0.8


def test_beats_that_stop_count_for_their_share_of_the_time():
    half = heart("ECG")
    half[640:] = 0
    assert of("ECG", half) == pytest.approx(0.5 * of("ECG", heart("ECG")), abs=0.1)


def test_real_ecg_and_eda_are_good(asset):
    ecg, eda = (np.load(asset(name)).astype(np.float64)[:20_000] for name in ("ECG", "EDA"))
    assert quality(Signal("ECG", "mV", 1000.0, 0.0, ecg - ecg.mean())) > 0.85
    assert quality(Signal("EDA", "uS", 1000.0, 0.0, eda)) > 0.95


@pytest.mark.parametrize("unit", ["uS", "relative_Ohm"])
def test_eda_artefacts_cost_their_share(unit):
    x = 5 + np.sin(np.arange(1280) / RATE / 2)
    assert of("EDA", x, unit) == 1.0
    flat = x.copy()
    flat[256:768] = x[256]
    assert of("EDA", flat, unit) == pytest.approx(0.6, abs=0.02)
    jumps = x.copy()
    jumps[::10] += 20
    assert of("EDA", jumps, unit) < 0.9


def test_eda_outside_the_range_of_skin_is_bad():
    assert of("EDA", 100 + noise(0.01), "uS") == 0.0


@pytest.mark.parametrize("channel", ["ECG", "PPG", "EDA"])
@pytest.mark.parametrize("n_times", [0, 1, 5, 130, 390])
def test_short_and_flat_inputs_are_finite(channel, n_times):
    assert 0.0 <= of(channel, noise(1.0)[:n_times]) <= 1.0
    assert of(channel, np.zeros(n_times)) == 0.0
