"""Skin conductance with responses planted at known times, heights and speeds."""

import math

import neurokit2 as nk
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from pipeline_lib.physio.skin import (
    EDA_FEATURES,
    LEVEL_FEATURES,
    PART_FEATURES,
    RESPONSE_FEATURES,
    skin_features,
)

RATE = 128
RISE, RECOVERY = 1.18, 2.20  # s, of RESPONSE, to its peak and to half of it
PLANTED = {10: 0.5, 30: 1.0, 50: 0.2, 62: 0.4, 90: 0.6}  # s: uS
LEVELS = ("mean", "min", "max", "median")


def response(seconds=30.0):
    """The Bateman function of Benedek & Kaernbach (2010), 1 high: time constants 2 and 0.75 s."""
    time = np.arange(seconds * RATE) / RATE
    shape = np.exp(-time / 2.0) - np.exp(-time / 0.75)
    return shape / shape.max()


def conductance(planted=PLANTED, *, seconds=120, drift=0.0, level=5.0):
    x = level + drift * np.arange(seconds * RATE) / RATE
    for onset, height in planted.items():
        after = x[onset * RATE :]
        after += height * response()[: after.size] if after.size < 30 * RATE else 0
        if after.size >= 30 * RATE:
            after[: 30 * RATE] += height * response()
    return x


def of(x, *, in_microsiemens=True):
    return skin_features(np.asarray(x, np.float64), RATE, in_microsiemens=in_microsiemens)


@pytest.mark.parametrize("drift", [0.0, 0.01, -0.01])
def test_planted_responses_are_found_and_measured(drift):
    features = of(conductance(drift=drift))
    heights = list(PLANTED.values())
    assert features["EDA_SCR_rate"] == pytest.approx(len(heights) / 2)
    assert features["EDA_SCR_amplitude"] == pytest.approx(np.mean(heights), abs=0.02)
    assert features["EDA_SCR_amplitude_max"] == pytest.approx(1.0, abs=0.02)
    assert features["EDA_SCR_amplitude_sum"] == pytest.approx(sum(heights) / 2, abs=0.05)
    assert features["EDA_SCR_rise_time"] == pytest.approx(RISE, abs=0.1)
    assert features["EDA_SCR_recovery_time"] == pytest.approx(RECOVERY, abs=0.6 if drift else 0.1)


def test_counts_do_not_tell_how_long_a_recording_lasts():
    twice = np.concatenate([conductance(), conductance()])
    once, two = of(conductance()), of(twice)
    for name in RESPONSE_FEATURES:
        assert two[name] == pytest.approx(once[name], rel=0.05)


def test_no_response_has_a_rate_of_0_and_no_height():
    features = of(5 + 0.001 * np.sin(np.arange(40 * RATE) / RATE))
    assert features["EDA_SCR_rate"] == features["EDA_SCR_amplitude_sum"] == 0
    assert math.isnan(features["EDA_SCR_amplitude"])
    assert math.isnan(features["EDA_SCR_rise_time"])
    # Without the unit nobody knows that a wave of a nS is none.
    assert of(np.sin(np.arange(40 * RATE) / RATE), in_microsiemens=False)["EDA_SCR_rate"] > 0


def test_responses_agree_with_neurokit():
    x = nk.eda_simulate(120, sampling_rate=RATE, scr_number=8, noise=0, random_state=2)
    phasic = nk.eda_phasic(x, sampling_rate=RATE, method="highpass")["EDA_Phasic"]
    _, theirs = nk.eda_peaks(phasic, sampling_rate=RATE)
    ours = of(x)
    assert ours["EDA_SCR_rate"] * 2 == len(theirs["SCR_Peaks"])
    # The filter takes some of the height, and lets a response begin earlier.
    assert ours["EDA_SCR_amplitude"] == pytest.approx(np.nanmean(theirs["SCR_Amplitude"]), rel=0.2)
    assert ours["EDA_phasic_std"] == pytest.approx(phasic.std(ddof=0))


def test_slow_and_fast_parts_are_told_apart():
    time = np.arange(200 * RATE) / RATE
    features = of(5 + np.sin(2 * np.pi * 0.005 * time) + 0.5 * np.sin(2 * np.pi * 0.5 * time))
    assert features["EDA_tonic_mean"] == pytest.approx(5, abs=0.02)
    assert features["EDA_tonic_std"] == pytest.approx(math.sqrt(0.5), rel=0.02)
    assert features["EDA_phasic_std"] == pytest.approx(0.5 * math.sqrt(0.5), rel=0.02)
    assert features["EDA_phasic_area"] == pytest.approx(0.5 * 2 / math.pi, rel=0.02)


def test_slope_is_per_second():
    features = of(3 + 0.5 * np.arange(40.0 * RATE) / RATE)
    assert features["EDA_slope"] == pytest.approx(0.5)
    assert features["EDA_tonic_slope"] == pytest.approx(0.5, rel=0.05)  # the filter bends the ends
    assert features["EDA_range"] == pytest.approx(20, rel=0.01)


@pytest.mark.parametrize(
    ("seconds", "lacking"),
    [(4, {*PART_FEATURES, *RESPONSE_FEATURES}), (8, {*PART_FEATURES}), (30, set())],
)
def test_what_a_recording_is_too_short_for_is_missing(seconds, lacking):
    features = of(conductance({1: 0.5}, seconds=seconds))
    missing = {name for name, value in features.items() if math.isnan(value)}
    assert missing == lacking
    assert tuple(features) == EDA_FEATURES


@settings(max_examples=8, deadline=None)
@given(st.floats(-4, 40))
def test_an_offset_moves_levels_and_nothing_else(offset):
    before, after = of(conductance()), of(conductance() + offset)
    moved = {f"EDA_{level}" for level in LEVELS} | {
        f"EDA_tonic_{n}" for n in ("mean", "min", "max")
    }
    for name in EDA_FEATURES:
        shift = offset if name in moved else 0
        assert after[name] == pytest.approx(before[name] + shift, abs=1e-6)


@settings(max_examples=6, deadline=None)
@given(st.floats(0.01, 100))
def test_without_a_unit_heights_scale_and_times_stay(scale):
    before, after = (of(x, in_microsiemens=False) for x in (conductance(), scale * conductance()))
    for name in ("EDA_std", "EDA_SCR_amplitude", "EDA_phasic_area", "EDA_tonic_max"):
        assert after[name] == pytest.approx(scale * before[name])
    for name in ("EDA_SCR_rate", "EDA_SCR_rise_time", "EDA_SCR_recovery_time", "EDA_skewness"):
        assert after[name] == pytest.approx(before[name])


def test_time_reversal_turns_the_slope_and_keeps_the_rest_of_the_level():
    forth, back = of(conductance(drift=0.01)), of(conductance(drift=0.01)[::-1])
    for name in LEVEL_FEATURES:
        sign = -1 if name == "EDA_slope" else 1
        assert back[name] == pytest.approx(sign * forth[name])


def test_a_gap_counts_neither_as_time_nor_as_response():
    x, gap = conductance(), conductance()
    gap[30 * RATE : 33 * RATE] = np.nan  # the response at 30 s, peak included
    whole, part = of(x), of(gap)
    assert part["EDA_SCR_rate"] == pytest.approx(4 * 60 / 117)
    assert part["EDA_SCR_amplitude_max"] == pytest.approx(0.6, abs=0.02)
    assert part["EDA_tonic_mean"] == pytest.approx(whole["EDA_tonic_mean"], rel=0.02)
    assert not any(map(math.isnan, part.values()))
    assert len(LEVEL_FEATURES) + len(PART_FEATURES) + len(RESPONSE_FEATURES) == 26
