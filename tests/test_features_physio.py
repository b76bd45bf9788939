"""Features of simulated hearts and skins, and of signals that have none."""

import math
from collections.abc import Callable
from pathlib import Path

import neurokit2 as nk
import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_lib.params import load_params
from pipeline_lib.physio.features import (
    EDA_FEATURES,
    HEART_FEATURES,
    eda,
    find_beats,
    heart,
    physio_features,
)
from pipeline_lib.physio.filters import filter_signal
from pipeline_lib.recordings import Signal
from pipeline_lib.schema import PHYSIO

Floats = npt.NDArray[np.float64]

RATE = 128.0
HEART = {"ECG": nk.ecg_simulate, "PPG": nk.ppg_simulate}


def simulate(channel: str, *, seconds: int = 30, heart_rate: int = 72) -> Floats:
    x: Floats = HEART[channel](
        duration=seconds, sampling_rate=128, heart_rate=heart_rate, random_state=0
    )
    return x


def rows(**channels: Floats) -> pl.DataFrame:
    table = [("a", name, "mV", RATE, 0.0, 1.0, x) for name, x in channels.items()]
    return pl.DataFrame(table, schema=dict(PHYSIO), orient="row")


@pytest.mark.parametrize("channel", ["ECG", "PPG"])
@pytest.mark.parametrize("heart_rate", [50, 72, 100])
def test_heart_rate_is_that_of_the_simulator(channel: str, heart_rate: int) -> None:
    x = simulate(channel, heart_rate=heart_rate)
    assert heart(x, RATE, channel=channel)["heart_rate"] == pytest.approx(heart_rate, abs=2.5)


def test_variability_agrees_with_neurokit() -> None:
    x = simulate("ECG", seconds=120)
    ours = heart(x, RATE, channel="ECG")
    theirs = nk.hrv_time(find_beats(x, RATE, channel="ECG"), sampling_rate=128).iloc[0]
    assert ours["heart_SDNN"] == pytest.approx(theirs["HRV_SDNN"] / 1000)
    assert ours["heart_RMSSD"] == pytest.approx(theirs["HRV_RMSSD"] / 1000, rel=1e-2)
    assert ours["heart_pNN50"] == pytest.approx(theirs["HRV_pNN50"] / 100, abs=0.01)


def test_responses_of_the_real_recording(asset: Callable[[str], Path]) -> None:
    raw = np.load(asset("EDA"))[: 10 * 60 * 1000].astype(np.float64)
    physio = load_params().physio
    x = filter_signal(Signal("EDA", "uS", 1000.0, 0.0, raw), physio=physio).samples
    assert 10 * eda(x, RATE)["EDA_SCR_rate"] == pytest.approx(71, abs=2)


def test_missed_beat_does_not_count() -> None:
    x = simulate("ECG", seconds=60)
    silent = x.copy()
    silent[20 * 128 : 24 * 128] = 0
    whole, gap = (heart(y, RATE, channel="ECG") for y in (x, silent))
    assert gap["heart_rate"] == pytest.approx(whole["heart_rate"], abs=1)
    assert gap["heart_SDNN"] == pytest.approx(whole["heart_SDNN"], rel=0.5)


@pytest.mark.parametrize("responses", [1, 2, 4])
def test_skin_conductance_responses_are_counted(responses: int) -> None:
    x = nk.eda_simulate(
        duration=30, sampling_rate=128, scr_number=responses, noise=0, drift=0, random_state=0
    )
    assert eda(x, RATE)["EDA_SCR_rate"] == pytest.approx(2 * responses)


def test_slope_is_per_second() -> None:
    ramp: Floats = 3 + 0.5 * np.arange(1280.0) / RATE
    features = eda(ramp, RATE)
    assert features["EDA_slope"] == pytest.approx(0.5)
    assert features["EDA_mean"] == pytest.approx(ramp.mean())


def test_all_channels_of_a_recording() -> None:
    x = simulate("ECG")
    features = physio_features(rows(ECG=x, EDA=nk.eda_simulate(duration=30, sampling_rate=128)))
    assert tuple(features) == (*HEART_FEATURES, *EDA_FEATURES)
    assert all(map(math.isfinite, features.values()))
    assert features["heart_rate"] == pytest.approx(
        heart(x, RATE, channel="ECG")["heart_rate"], 1e-3
    )


@pytest.mark.parametrize(
    "x",
    [np.zeros(2000), np.full(2000, np.nan), np.arange(20.0), np.array([])],
    ids=["flat", "NaN", "short", "empty"],
)
@pytest.mark.parametrize("channel", ["ECG", "PPG", "EDA"])
def test_unreadable_signal_has_no_features(channel: str, x: Floats) -> None:
    assert all(map(math.isnan, physio_features(rows(**{channel: x})).values()))


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(384, 1500),
    kind=st.sampled_from(["noise", "walk", "impulse", "ramp", "clipped"]),
)
def test_no_signal_raises(seed: int, n: int, kind: str) -> None:
    noise = np.random.default_rng(seed).normal(size=n)
    x = {
        "noise": noise,
        "walk": noise.cumsum(),
        "impulse": np.r_[np.zeros(n - 1), 1.0],
        "ramp": np.linspace(0, 1, n),
        "clipped": noise.clip(1.5, 2.0),
    }[kind]
    for channel in ("ECG", "PPG", "EDA"):
        features = physio_features(rows(**{channel: x}))
        assert not any(map(math.isinf, features.values()))
