"""Quality indices tell good from bad, and each says what is bad."""

import math

import neurokit2 as nk
import numpy as np
import polars as pl
import pytest

from pipeline_lib.core.schema import PHYSIO
from pipeline_lib.physio.quality_indices import EDA_INDICES, HEART_INDICES, quality_indices

RATE = 128
HEART = {"ECG": nk.ecg_simulate, "PPG": nk.ppg_simulate}


def of(channel, x, *, unit="uS"):
    row = ("a", channel, unit, float(RATE), 0.0, 0.9, np.asarray(x, np.float64))
    return quality_indices(pl.DataFrame([row], schema=dict(PHYSIO), orient="row"))


def beating(channel, *, seconds=60):
    return HEART[channel](seconds, sampling_rate=RATE, heart_rate=70, random_state=1)


def noise():
    return np.random.default_rng(0).normal(size=60 * RATE)


def skin(seconds=60):
    return 5 + np.sin(np.arange(seconds * RATE) / RATE / 2)


@pytest.mark.parametrize("channel", ["ECG", "PPG"])
def test_a_clean_heart_is_good_and_noise_is_not(channel):
    clean, noisy = of(channel, beating(channel)), of(channel, noise())
    assert clean["heart_beats"] == pytest.approx(70, abs=2)
    assert clean["heart_implausible"] == 0
    assert clean["heart_likeness"] > 0.9 > 0.6 > noisy["heart_likeness"]
    assert noisy["heart_implausible"] > 0.2
    assert clean["heart_quality"] == 0.9  # as the filter found it


def test_grade_is_neurokits():
    x = beating("ECG")
    beats = nk.ecg_findpeaks(x, sampling_rate=RATE)["ECG_R_Peaks"]
    grade = nk.ecg_quality(x, rpeaks=beats, sampling_rate=RATE, method="zhao2018")
    assert (grade, of("ECG", x)["heart_grade"]) == ("Barely acceptable", 0.5)
    assert of("ECG", noise())["heart_grade"] == 0.0
    assert math.isnan(of("PPG", beating("PPG"))["heart_grade"])


def test_a_lost_stretch_makes_one_interval_implausible():
    x = beating("ECG")
    x[20 * RATE : 25 * RATE] = 0
    indices = of("ECG", x)
    assert indices["heart_implausible"] == pytest.approx(1 / (indices["heart_beats"] - 1))
    x[20 * RATE : 25 * RATE] = np.nan
    assert of("ECG", x)["heart_seconds"] == 55


def test_each_rule_of_the_skin_counts_its_samples():
    x = skin()
    x[: 6 * RATE] = 70  # uS, from 0 to 6 s
    x[30 * RATE : 36 * RATE] = x[30 * RATE]  # still, and with a jump after it
    indices = of("EDA", x)
    assert indices["EDA_out_of_range"] == pytest.approx(0.1)
    assert indices["EDA_flat"] == pytest.approx(0.2, abs=0.01)
    assert 0 < indices["EDA_fast"] <= 3 / x.size
    assert indices["EDA_invalid"] == pytest.approx((6 + 5 + 6 + 10) / 60, abs=0.01)


def test_a_good_skin_breaks_no_rule():
    indices = of("EDA", skin())
    assert [indices[f"EDA_{rule}"] for rule in ("out_of_range", "fast", "flat", "invalid")] == [
        0
    ] * 4
    assert all(math.isnan(indices[name]) for name in HEART_INDICES)
    relative = of("EDA", skin() - 500, unit="relative")
    assert math.isnan(relative["EDA_out_of_range"])
    assert relative["EDA_invalid"] == 0


def test_a_flat_channel_has_a_length_and_no_more():
    indices = of("EDA", np.zeros(10 * RATE))
    known = {name for name in EDA_INDICES if not math.isnan(indices[name])}
    assert known == {"EDA_quality", "EDA_seconds"}
