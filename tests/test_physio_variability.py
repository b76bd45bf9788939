"""Variability of intervals of known deviation, power and complexity; NeuroKit2 as oracle."""

import math

import neurokit2 as nk
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from pipeline_lib.physio.beats import intervals_between, longest_stretch
from pipeline_lib.physio.spectrum import BANDS, SPECTRUM_FEATURES, spectrum
from pipeline_lib.physio.variability import (
    COMPLEXITY,
    FAST,
    HISTOGRAM,
    LOCATION,
    SLOW,
    VARIABILITY_FEATURES,
    variability,
)


def of(lengths):
    """All features of successive intervals, s."""
    intervals = intervals_between(np.cumsum([0.0, *lengths]))
    stretch = longest_stretch(intervals)
    return variability(intervals, stretch=stretch) | spectrum(stretch)


def missing(lengths):
    return {name for name, value in of(lengths).items() if math.isnan(value)}


def noise(n, *, mean=0.8, std=0.04, seed=0):
    return mean + std * np.random.default_rng(seed).normal(size=n).clip(-3, 3)


def wave(hz, *, amplitude, seconds, mean=0.8):
    """Intervals (n,) that are mean + amplitude * sin(2 pi hz t) at their ends t."""
    lengths, now = [], 0.0
    while now < seconds:
        length = mean
        for _ in range(8):  # the fixed point: an interval's end depends on its length
            length = mean + amplitude * math.sin(2 * math.pi * hz * (now + length))
        lengths.append(length)
        now += length
    return np.array(lengths)


def test_known_answer():
    """0.8, 0.9, 0.8, ...: every difference is 0.1 s."""
    features = of(np.tile([0.8, 0.9], 30))
    expected = {
        "heart_rate": 60 / 0.85,
        "heart_rate_min": 60 / 0.9,
        "heart_rate_max": 60 / 0.8,
        "heart_rate_range": 60 / 0.8 - 60 / 0.9,
        "heart_NN_median": 0.85,
        "heart_NN_q20": 0.8,
        "heart_NN_q80": 0.9,
        "heart_SDNN": 0.05 * math.sqrt(60 / 59),
        "heart_CVNN": 0.05 * math.sqrt(60 / 59) / 0.85,
        "heart_RMSSD": 0.1,
        "heart_CVSD": 0.1 / 0.85,
        "heart_pNN50": 1.0,
        "heart_SD2": 0.0,
    }
    assert {name: features[name] for name in expected} == pytest.approx(expected, abs=1e-9)


def test_deviations_are_not_swapped():
    """StressID's code gives CVNN for SDNN and SDNN for CVNN."""
    features = of(noise(400, std=0.05))
    assert features["heart_SDNN"] == pytest.approx(0.05, rel=0.1)
    assert features["heart_CVNN"] == pytest.approx(0.05 / 0.8, rel=0.1)
    assert features["heart_RMSSD"] == pytest.approx(0.05 * math.sqrt(2), rel=0.1)


def test_time_domain_and_poincare_agree_with_neurokit():
    lengths = noise(1700)
    ours, rri = of(lengths), {"RRI": 1000 * lengths}
    theirs = nk.hrv_time(rri).iloc[0]
    for name in ("SDNN", "RMSSD", "SDSD"):
        assert ours[f"heart_{name}"] == pytest.approx(theirs[f"HRV_{name}"] / 1000)
    for name, other in [("NN_q20", "Prc20NN"), ("NN_q80", "Prc80NN"), ("NN_median", "MedianNN")]:
        assert ours[f"heart_{name}"] == pytest.approx(theirs[f"HRV_{other}"] / 1000)
    for name in ("pNN20", "pNN50"):
        assert ours[f"heart_{name}"] == pytest.approx(theirs[f"HRV_{name}"] / 100, abs=1e-3)
    assert ours["heart_triangular_index"] == pytest.approx(theirs["HRV_HTI"])
    x, y = lengths[:-1], lengths[1:]
    assert ours["heart_SD1"] == pytest.approx(np.std((x - y) / math.sqrt(2), ddof=1))
    assert ours["heart_SD2"] == pytest.approx(np.std((x + y) / math.sqrt(2), ddof=1))


@pytest.mark.parametrize(
    ("hz", "band"), [(0.02, "VLF"), (0.1, "LF"), (0.25, "HF"), (0.45, "VHF"), (0.14, "LF")]
)
def test_a_wave_has_its_power_in_its_band_and_nowhere_else(hz, band):
    """StressID's spectra assume 1000 Hz; here a wave of 30 ms has 450 ms^2 where it is."""
    features = of(wave(hz, amplitude=0.03, seconds=320, mean=0.6))
    powers = {name: features[name] for name in BANDS if name != "heart_total_power"}
    assert powers.pop(f"heart_{band}") == pytest.approx(0.03**2 / 2, rel=0.06)
    del powers["heart_ULF"]
    assert max(powers.values()) < 0.03**2 / 2 / 50


@pytest.mark.parametrize("seconds", [125, 155, 320])
def test_ratio_of_two_waves_is_that_of_their_powers(seconds):
    slow = wave(0.1, amplitude=0.04, seconds=seconds)
    lengths = slow + wave(0.25, amplitude=0.02, seconds=2 * seconds)[: slow.size] - 0.8
    features = of(lengths)
    assert features["heart_LF_HF"] == pytest.approx(4, rel=0.1)
    assert features["heart_LF_share"] == pytest.approx(0.8, abs=0.02)
    assert features["heart_LF_share"] + features["heart_HF_share"] == pytest.approx(1)
    assert features["heart_LF_peak"] == pytest.approx(0.1, abs=0.005)
    assert features["heart_HF_peak"] == pytest.approx(0.25, abs=0.01)


def test_powers_agree_with_neurokit_and_add_up():
    lengths = noise(600, mean=0.7)
    ours, rri = of(lengths), {"RRI": 1000 * lengths, "RRI_Time": np.cumsum(lengths)}
    theirs = nk.hrv_frequency(rri, normalize=False).iloc[0] / 1e6
    for band in ("LF", "HF"):
        assert ours[f"heart_{band}"] == pytest.approx(theirs[f"HRV_{band}"], rel=0.25)
    total = sum(ours[f"heart_{band}"] for band in ("VLF", "LF", "HF"))
    assert total == pytest.approx(ours["heart_total_power"], rel=0.02)


def test_ultra_low_frequencies_need_a_day():
    lengths = wave(0.001, amplitude=0.1, seconds=86_400, mean=0.9)
    intervals = intervals_between(np.cumsum([0.0, *lengths]))
    assert spectrum(intervals)["heart_ULF"] == pytest.approx(0.1**2 / 2, rel=0.05)


def test_a_slow_heart_cannot_show_fast_bands():
    slow = of(noise(100, mean=1.3, std=0.03))
    assert math.isnan(slow["heart_HF"])  # 46 a minute show 0.38 Hz at most
    assert math.isfinite(slow["heart_LF"])


SPECTRAL = ("heart_LF_HF", "heart_LF_share", "heart_HF_share", "heart_LF_peak")
LONG = {"heart_ULF", "heart_VLF", "heart_total_power", *HISTOGRAM}


@pytest.mark.parametrize(
    ("seconds", "lacking"),
    [
        (2, {*VARIABILITY_FEATURES, *SPECTRUM_FEATURES}),
        (8, {*FAST, *SLOW, *HISTOGRAM, *COMPLEXITY, *SPECTRUM_FEATURES}),
        (12, {*SLOW, *HISTOGRAM, *COMPLEXITY, *SPECTRUM_FEATURES}),
        (40, {*HISTOGRAM, *COMPLEXITY, *SPECTRUM_FEATURES}),
        (60, {*LONG, "heart_LF", *SPECTRAL, *COMPLEXITY}),
        (90, {*LONG, "heart_LF", *SPECTRAL}),
        (120, LONG),
        (300, {"heart_ULF", *HISTOGRAM}),
        (1200, {"heart_ULF"}),
    ],
)
def test_what_a_recording_is_too_short_for_is_missing(seconds, lacking):
    """76 beats a minute, the first and last of which lie inside the recording."""
    assert missing(noise(int(seconds / 0.79), mean=0.79)) == lacking
    assert {*LOCATION, *FAST, *SLOW, *HISTOGRAM, *COMPLEXITY} == {*VARIABILITY_FEATURES}


def test_complexity_tells_noise_from_a_walk_and_from_order():
    rng = np.random.default_rng(1)
    walk = np.cumsum(rng.normal(size=400))
    white, brown, wave_ = (
        of(noise(400)),
        of(0.8 + 0.002 * walk),
        of(wave(0.1, amplitude=0.05, seconds=300)),
    )
    assert white["heart_DFA_alpha1"] == pytest.approx(0.5, abs=0.15)
    assert brown["heart_DFA_alpha1"] == pytest.approx(1.5, abs=0.2)
    assert white["heart_SampEn"] == pytest.approx(2.2, abs=0.25)  # of a normal distribution
    assert wave_["heart_SampEn"] < 0.7 * white["heart_SampEn"]
    assert wave_["heart_ApEn"] < 0.7 * white["heart_ApEn"]


def test_sample_entropy_equals_its_definition():
    """Counted pair by pair, of intervals: StressID ran it on the samples of the peaks."""
    x = noise(120)
    near = [
        [
            np.abs(x[i : i + m] - x[j : j + m]).max() <= 0.2 * x.std(ddof=1)
            for i in range(118)
            for j in range(i)
        ]
        for m in (2, 3)
    ]
    expected = -math.log(sum(near[1]) / sum(near[0]))
    assert of(x)["heart_SampEn"] == pytest.approx(expected)


@pytest.mark.parametrize(
    "lengths",
    [np.full(200, 0.8), np.tile([0.8, 0.85], 100), np.r_[np.full(199, 0.8), 0.81]],
    ids=["metronome", "alternating", "one step"],
)
def test_regular_hearts_are_no_error(lengths):
    features = of(lengths)
    assert not any(map(math.isinf, features.values()))
    assert features["heart_HF"] >= 0


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000))
def test_time_reversal_changes_no_deviation_and_no_power(seed):
    lengths = noise(200, seed=seed)
    forth, back = of(lengths), of(lengths[::-1])
    for name in (*LOCATION, *FAST, *SLOW, "heart_SampEn"):
        assert back[name] == pytest.approx(forth[name], rel=0.05 if "En" in name else 1e-6)
    for name in ("heart_LF", "heart_HF"):
        assert back[name] == pytest.approx(forth[name], rel=0.35)  # other times, other spline
