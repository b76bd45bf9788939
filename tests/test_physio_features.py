"""All features of a recording: of simulated and real hearts and skins, and of what is neither."""

import math
from collections.abc import Callable
from functools import cache
from pathlib import Path

import neurokit2 as nk
import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from hypothesis import given, settings, strategies as st

from pipeline_lib.core.schema import PHYSIO
from pipeline_lib.params import load_params
from pipeline_lib.physio import heart
from pipeline_lib.physio.features import physio_features
from pipeline_lib.physio.filters import filter_signal
from pipeline_lib.physio.heart import HEART_FEATURES, SIGNAL_FEATURES, heart_features
from pipeline_lib.physio.quality_indices import QUALITY_INDICES, quality_indices
from pipeline_lib.physio.skin import EDA_FEATURES, skin_features
from pipeline_lib.recordings import Signal

Floats = npt.NDArray[np.float64]

RATE = 128.0
HEART = {"ECG": nk.ecg_simulate, "PPG": nk.ppg_simulate}


@cache
def simulate(channel: str, *, seconds: int = 30, heart_rate: int = 72) -> Floats:
    x: Floats = HEART[channel](
        duration=seconds, sampling_rate=128, heart_rate=heart_rate, random_state=0
    )
    return x


def rows(unit: str = "mV", **channels: Floats) -> pl.DataFrame:
    table = [("a", name, unit, RATE, 0.0, 1.0, x) for name, x in channels.items()]
    return pl.DataFrame(table, schema=dict(PHYSIO), orient="row")


def real(asset: Callable[[str], Path], name: str, *, minutes: int) -> Floats:
    raw = np.load(asset(name))[: minutes * 60 * 1000].astype(np.float64)
    unit = {"ECG": "mV", "EDA": "uS"}[name]
    return filter_signal(Signal(name, unit, 1000.0, 0.0, raw), physio=load_params().physio).samples


@pytest.mark.parametrize("channel", ["ECG", "PPG"])
@pytest.mark.parametrize("heart_rate", [50, 72, 100])
def test_heart_rate_is_that_of_the_simulator(channel: str, heart_rate: int) -> None:
    x = simulate(channel, heart_rate=heart_rate)
    found = heart_features(x, RATE, channel=channel)
    assert found["heart_rate"] == pytest.approx(heart_rate, abs=2.5)


@pytest.mark.parametrize("seconds", [60, 600])
def test_heart_of_the_real_recording(asset: Callable[[str], Path], seconds: int) -> None:
    features = heart_features(real(asset, "ECG", minutes=seconds // 60), RATE, channel="ECG")
    assert features["heart_rate"] == pytest.approx(78, abs=1)
    assert 0.02 < features["heart_RMSSD"] < features["heart_SDNN"] < 0.07
    assert features["heart_amplitude_mean"] == pytest.approx(1.87, abs=0.03)  # mV


def test_responses_of_the_real_recording(asset: Callable[[str], Path]) -> None:
    features = skin_features(real(asset, "EDA", minutes=10), RATE, in_microsiemens=True)
    assert 10 * features["EDA_SCR_rate"] == pytest.approx(71, abs=2)
    assert 0.5 < features["EDA_SCR_rise_time"] < 5  # s (Boucsein et al. 2012)
    assert 6 < features["EDA_tonic_min"] < features["EDA_tonic_max"] < 13  # uS


def test_missed_beats_do_not_count() -> None:
    x = simulate("ECG", seconds=60)
    silent = x.copy()
    silent[20 * 128 : 24 * 128] = 0
    whole, gap = (heart_features(y, RATE, channel="ECG") for y in (x, silent))
    assert gap["heart_rate"] == pytest.approx(whole["heart_rate"], abs=1)
    assert gap["heart_SDNN"] == pytest.approx(whole["heart_SDNN"], rel=0.5)


@pytest.mark.parametrize("channel", ["ECG", "PPG"])
def test_a_gap_that_was_not_recorded_costs_its_beats_only(channel: str) -> None:
    x = simulate(channel, seconds=60)
    gap = x.copy()
    gap[20 * 128 : 22 * 128] = np.nan
    whole, part = (heart_features(y, RATE, channel=channel) for y in (x, gap))
    for name in ("heart_rate", "heart_RMSSD", "heart_SDNN", "heart_signal_std"):
        assert part[name] == pytest.approx(whole[name], rel=0.1)
    assert math.isfinite(part["heart_HF"])  # the gap is bridged


def test_a_beat_that_a_detector_finds_in_a_gap_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    x = simulate("ECG").copy()
    x[500:600] = np.nan
    monkeypatch.setattr(heart, "find_beats", lambda *_, **__: np.array([400, 550, 700, 800]))
    beats, intervals = heart.beats_and_intervals(x, RATE, channel="ECG")
    assert beats.tolist() == [400, 700, 800]
    assert intervals.n_rejected == 1


@settings(max_examples=4, deadline=None)
@given(st.floats(1e-3, 1e3))
def test_scale_of_an_ecg_changes_amplitudes_only(scale: float) -> None:
    x = simulate("ECG", seconds=60)
    one, other = (heart_features(y, RATE, channel="ECG") for y in (x, scale * x))
    shapes = {"heart_signal_skewness", "heart_signal_kurtosis"}
    for name in HEART_FEATURES:
        factor = scale if name in {*SIGNAL_FEATURES} - shapes else 1
        assert other[name] == pytest.approx(factor * one[name], rel=1e-6, nan_ok=True)


def test_all_channels_of_a_recording() -> None:
    signals = rows(
        ECG=simulate("ECG", seconds=130),
        EDA=nk.eda_simulate(130, sampling_rate=128, random_state=0),
    )
    features = physio_features(signals)
    assert tuple(features) == (*HEART_FEATURES, *EDA_FEATURES)
    missing = {name for name, value in features.items() if not math.isfinite(value)}
    long = ("ULF", "VLF", "total_power", "triangular_index")
    assert missing == {f"heart_{name}" for name in long}


def test_families_are_as_large_as_stressids() -> None:
    """46 of the ECG, of which one, the number of beats, only tells the length; 24 of the EDA."""
    assert len(HEART_FEATURES) >= 45
    assert len(EDA_FEATURES) >= 24


@pytest.mark.parametrize(
    "x",
    [np.zeros(2000), np.full(2000, np.nan), np.arange(20.0), np.array([]), np.full(2000, np.inf)],
    ids=["flat", "NaN", "short", "empty", "infinite"],
)
@pytest.mark.parametrize("channel", ["ECG", "PPG", "EDA"])
def test_unreadable_signal_has_no_features(channel: str, x: Floats) -> None:
    assert all(map(math.isnan, physio_features(rows(**{channel: x})).values()))


def bad(kind: str, *, n: int, seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=n)
    patchy = np.repeat(rng.random(n // 50 + 1), 50)[:n] < 0.4
    beats = simulate("ECG", seconds=80)[:n]
    signals: dict[str, Floats] = {
        "noise": noise,
        "walk": noise.cumsum(),
        "impulse": np.r_[np.zeros(n - 1), 1.0],
        "ramp": np.linspace(0, 1, n),
        "clipped": noise.clip(1.5, 2.0),
        "step": np.arange(n) // (n // 2) * 1.0,
        "sine": np.sin(np.arange(n) / 20),
        "metronome": (np.arange(n) % 100 == 50) * 1.0,
        "rounding": 5 + 1e-9 * noise,
        "huge": 1e12 * noise,
        "gaps": np.where(patchy, np.nan, beats),
        "dropouts": np.where(patchy, 0.0, beats),
        "one sample": np.where(np.arange(n) == n // 2, 1.0, np.nan),
    }
    return signals[kind]


KINDS = ["noise", "walk", "impulse", "ramp", "clipped", "step", "sine", "metronome", "rounding"]


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n=st.one_of(st.integers(2, 1500), st.integers(4000, 10_000)),
    kind=st.sampled_from([*KINDS, "huge", "gaps", "dropouts", "one sample"]),
    channel=st.sampled_from(["ECG", "PPG", "EDA"]),
    unit=st.sampled_from(["uS", "relative"]),
)
def test_no_signal_raises(seed: int, n: int, kind: str, channel: str, unit: str) -> None:
    signals = rows(unit, **{channel: bad(kind, n=n, seed=seed)})
    features, quality = physio_features(signals), quality_indices(signals)
    assert tuple(features) == (*HEART_FEATURES, *EDA_FEATURES)
    assert tuple(quality) == QUALITY_INDICES
    assert not any(map(math.isinf, (*features.values(), *quality.values())))
