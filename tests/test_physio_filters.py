"""Filters against tones, against NeuroKit2 and SciPy, and on a real recording."""

import math
from pathlib import Path

import neurokit2 as nk
import numpy as np
import polars as pl
import pytest
from hypothesis import given, strategies as st
from scipy.signal import resample

from pipeline_lib.core import schema, tables
from pipeline_lib.params import Band, Physio
from pipeline_lib.physio import filters
from pipeline_lib.physio.beats import find_beats
from pipeline_lib.recordings import RecordingError, Signal

RATE = 128.0
INNER = slice(256, -256)
RNG = np.random.default_rng(0)
PHYSIO = Physio(
    sampling_rate=RATE,
    mains="notch",
    mains_frequency=50.0,
    ECG=Band(low=0.5, high=None, order=5),
    PPG=Band(low=0.5, high=8.0, order=3),
    EDA=Band(low=None, high=3.0, order=4),
)


def tone(hz, *, rate=RATE, seconds=20.0):
    return np.sin(2 * np.pi * hz * np.arange(int(rate * seconds)) / rate)


@pytest.mark.parametrize(("hz", "gain"), [(5.0, 1.0), (45.0, 1.0), (50.0, 0.0), (55.0, 1.0)])
def test_notch_removes_mains_and_nothing_else(hz, gain):
    filtered = filters.notch(tone(hz), RATE, mains=50.0)
    np.testing.assert_allclose(filtered[INNER], gain * tone(hz)[INNER], atol=0.05)


@pytest.mark.parametrize(("hz", "gain"), [(0.0, 1.0), (25.0, 0.668), (50.0, 0.1134)])
def test_moving_average_is_a_low_pass_without_delay(hz, gain):
    x = tone(hz) + (hz == 0)
    filtered = filters.moving_average(x, RATE, mains=50.0)
    np.testing.assert_allclose(filtered[INNER], gain * x[INNER], atol=1e-3)


@pytest.mark.parametrize("source", [512.0, 500.0, 1000.0, 128.0, 100.0, 127.997])
def test_resampling_keeps_time_and_amplitude(source):
    resampled = filters.resample(tone(7.0, rate=source), source, to=RATE)
    expected = tone(7.0)[: resampled.size]
    assert abs(resampled.size - 20 * RATE) <= 1
    np.testing.assert_allclose(resampled[INNER], expected[INNER], atol=0.01)


RATIOS = [4.0, 32.0, 64.0, 100.0, 127.997, 500.0, 1000.0]


@pytest.mark.parametrize("source", RATIOS)
def test_a_constant_stays_that_constant(source):
    resampled = filters.resample(np.full(int(20 * source), 1e5 + 0.1), source, to=RATE)
    np.testing.assert_array_equal(resampled, 1e5 + 0.1)


@pytest.mark.parametrize("source", RATIOS)
def test_too_short_to_resample_is_no_crash(source):
    single = filters.resample(np.array([5.0]), source, to=RATE)
    np.testing.assert_array_equal(single, np.full(math.ceil(RATE / source), 5.0))
    assert filters.resample(np.array([]), source, to=RATE).size == 0


@pytest.mark.parametrize("source", RATIOS)
def test_a_drifting_level_makes_no_ripple(source):
    level = 1e5 + 1e4 * tone(0.02, rate=source)
    resampled = filters.resample(level, source, to=RATE)
    expected = 1e5 + 1e4 * tone(0.02)[: resampled.size]
    inner = slice(5 * 128, -5 * 128)  # beyond what a filter of 4 Hz sees of the ends
    np.testing.assert_allclose(resampled[inner], expected[inner], rtol=0, atol=1.0)


def test_resampling_agrees_with_fourier():
    x = 1e5 + nk.ppg_simulate(60, sampling_rate=64, heart_rate=70, random_state=1)
    resampled = filters.resample(x, 64.0, to=RATE)
    fourier = 1e5 + resample(x - 1e5, 2 * x.size)
    np.testing.assert_allclose(resampled[INNER], fourier[INNER], rtol=0, atol=2e-3 * np.ptp(x))


def test_pulses_upon_a_large_level_are_found():
    x = nk.ppg_simulate(60, sampling_rate=64, heart_rate=70, random_state=1)
    filtered = [
        filters.filter_signal(Signal("PPG", "a.u.", 64.0, 0.0, x + level), physio=PHYSIO).samples
        for level in (0.0, 1e5)
    ]
    np.testing.assert_allclose(*filtered, rtol=0, atol=1e-4 * np.ptp(x))
    np.testing.assert_array_equal(*(find_beats(y, RATE, channel="PPG") for y in filtered))


def test_resampling_does_not_alias():
    above_nyquist = filters.resample(tone(100.0, rate=1000.0), 1000.0, to=RATE)  # would be 28 Hz
    assert np.abs(above_nyquist[INNER]).max() < 0.005


def test_resampling_makes_no_step_at_the_ends_of_a_slope():
    slope = 10 + np.linspace(0, 1, 10_000)
    resampled = filters.resample(slope, 1000.0, to=RATE)
    np.testing.assert_allclose(resampled, 10 + np.arange(1280) / RATE / 9.999, atol=2e-3)


@given(st.floats(-10, 10), st.floats(-1e3, 1e3))
def test_filters_are_linear(scale, offset):
    x = RNG.normal(size=1024)
    band = {"low": None, "high": 3.0, "order": 4}
    expected = scale * filters.butterworth(x, RATE, **band) + offset
    found = filters.butterworth(scale * x + offset, RATE, **band)
    np.testing.assert_allclose(found, expected, atol=1e-8)


def neurokit_ppg(x, *, order):
    return nk.signal_filter(x, sampling_rate=128, lowcut=0.5, highcut=8, order=order)


def test_filters_equal_neurokit():
    x = nk.ecg_simulate(20, sampling_rate=128, random_state=1) + 0.1 * RNG.normal(size=2560)
    ecg = filters.butterworth(x, RATE, low=0.5, high=None, order=5)
    same = {"rtol": 0, "atol": 1e-10}
    np.testing.assert_allclose(
        filters.moving_average(ecg, RATE, mains=50.0),
        nk.ecg_clean(x, sampling_rate=128, method="neurokit"),
        **same,
    )
    eda = filters.butterworth(x, RATE, low=None, high=3.0, order=4)
    np.testing.assert_allclose(eda, nk.eda_clean(x, sampling_rate=128), **same)
    # NeuroKit2 has order 2 since 0.2; MVP ran order 3.
    ppg = filters.butterworth(x, RATE, low=0.5, high=8.0, order=2)
    np.testing.assert_allclose(ppg, nk.ppg_clean(x, sampling_rate=128), **same)
    ppg = filters.butterworth(x, RATE, low=0.5, high=8.0, order=3)
    np.testing.assert_allclose(ppg, neurokit_ppg(x, order=3), **same)


@pytest.mark.parametrize("axis_first", [1, 3])
def test_butterworth_works_along_the_last_axis(axis_first):
    x = RNG.normal(size=(axis_first, 1024))
    filtered = filters.butterworth(x, RATE, low=0.5, high=8.0, order=3)
    np.testing.assert_array_equal(
        filtered[-1], filters.butterworth(x[-1], RATE, low=0.5, high=8.0, order=3)
    )


@pytest.mark.parametrize(
    ("low", "high", "message"),
    [
        (None, 64.0, "64 Hz is not inside"),
        (None, -1.0, "-1 Hz is not inside"),
        (8.0, 0.5, "does not rise"),
        (None, None, "does not rise"),
    ],
)
def test_impossible_bands_are_errors_with_values(low, high, message):
    with pytest.raises(ValueError, match=message):
        filters.butterworth(tone(5.0), RATE, low=low, high=high, order=3)


@pytest.mark.parametrize("function", [filters.notch, filters.moving_average])
def test_mains_above_nyquist_names_the_key(function):
    with pytest.raises(ValueError, match=r"mains_frequency = 60 Hz .*Nyquist = 50 Hz"):
        function(tone(5.0, rate=100.0), 100.0, mains=60.0)


def test_a_rate_in_khz_does_not_fill_the_memory():
    x = RNG.normal(size=1_000_000)
    with pytest.raises(RecordingError, match=r"ECG: 1000000 samples at 0\.5 Hz last 556 h"):
        filters.filter_signal(Signal("ECG", "mV", 0.5, 0.0, x), physio=PHYSIO)


def test_short_input_is_the_recordings_fault():
    short = Signal("EDA", "uS", RATE, 0.0, RNG.normal(size=100))
    with pytest.raises(RecordingError, match=r"EDA: Input is too short \(n_times=100\) .*notch"):
        filters.filter_signal(short, physio=PHYSIO)
    with pytest.raises(RecordingError, match=r"n_times=10\).*order=4.*15 samples"):
        filters.butterworth(short.samples[:10], RATE, low=None, high=3.0, order=4)
    with pytest.raises(RecordingError, match=r"n_times=6\).*moving average"):
        filters.moving_average(short.samples[:6], RATE, mains=50.0)


def channel(name, *, start, n_times):
    return Signal(name, "mV", RATE, start, np.arange(n_times, dtype=float))


def test_cut_begins_and_ends_all_channels_together():
    ecg, eda = channel("ECG", start=-5.0, n_times=2000), channel("EDA", start=-4.999, n_times=1990)
    cut_ecg, cut_eda = filters.cut([ecg, eda], window_start=-4.0)
    assert cut_ecg.start == -4.0
    assert cut_ecg.samples[0] == RATE  # one second is 128 samples
    assert 0 <= cut_eda.start + 4.0 < 1 / RATE
    assert cut_ecg.samples.size == cut_eda.samples.size == 1990 - 128


@given(st.floats(-6, 2), st.floats(-5, 1))
def test_cut_never_gives_a_sample_before_the_window(start, window_start):
    (first,) = filters.cut([channel("ECG", start=start, n_times=2000)], window_start=window_start)
    late = first.start - max(start, window_start)
    assert -1e-7 <= late < 1 / RATE


def test_cut_of_nothing_names_the_spans():
    with pytest.raises(RecordingError, match=r"window_start = 30 s: ECG 0 to 7\.8125 s"):
        filters.cut([channel("ECG", start=0.0, n_times=1000)], window_start=30.0)


def write_signals(folder: Path, **signals: Signal) -> dict[str, str]:
    rows = [
        {"recording_id": "P01_4", "samples": s.samples.tolist()}
        | {key: getattr(s, key) for key in ("channel", "unit", "sampling_rate", "start")}
        for s in signals.values()
    ]
    table = pl.DataFrame(rows, schema=dict(schema.SIGNALS), orient="row")
    tables.write_table(table, tables.shard(folder, "P01"))
    return {"recording_id": "P01_4", "subject": "P01"}


def test_filter_recording_gives_rows_of_the_schema(tmp_path):
    ecg = nk.ecg_simulate(14, sampling_rate=1000, heart_rate=70, random_state=1)
    recording = write_signals(
        tmp_path,
        ECG=Signal("ECG", "mV", 1000.0, -5.0, ecg + tone(50.0, rate=1000.0, seconds=14.0)),
        EDA=Signal("EDA", "uS", 32.0, -5.0, 5 + tone(0.1, rate=32.0, seconds=14.0)),
    )
    result = filters.filter_recording(recording, signals=tmp_path, window_start=-4.0, physio=PHYSIO)
    assert result.status == "ok"
    table = schema.validate(result.table, schema.PHYSIO, "physio")
    assert table["start"].to_list() == [-4.0, -4.0]
    assert table["samples"].list.len().to_list() == [13 * 128] * 2
    assert table["quality"].min() > 0.8
    eda = table["samples"][1].to_numpy()
    expected = 5 + np.sin(2 * np.pi * 0.1 * (1 + np.arange(eda.size) / RATE))
    np.testing.assert_allclose(eda[64:-64], expected[64:-64], atol=0.02)


def test_a_channel_that_starts_late_is_reported(tmp_path):
    recording = write_signals(tmp_path, ECG=Signal("ECG", "mV", RATE, 1.5, tone(5.0)))
    result = filters.filter_recording(recording, signals=tmp_path, window_start=0.0, physio=PHYSIO)
    assert (result.status, result.reason) == (
        "partial",
        "starts after window_start = 0 s: ECG at 1.5 s",
    )


def test_a_recording_without_rows_fails(tmp_path):
    with pytest.raises(RecordingError, match="P09_1 has no rows"):
        filters.filter_recording(
            {"recording_id": "P09_1", "subject": "P09"},
            signals=tmp_path,
            window_start=0.0,
            physio=PHYSIO,
        )


def test_heart_rate_of_the_real_recording(asset):
    ecg = np.load(asset("ECG")).astype(np.float64)[: 5 * 60 * 1000]
    filtered = filters.filter_signal(Signal("ECG", "mV", 1000.0, 0.0, ecg), physio=PHYSIO)
    _, found = nk.ecg_peaks(filtered.samples, sampling_rate=128)
    seconds = np.diff(found["ECG_R_Peaks"]) / RATE
    assert 60 / seconds.mean() == pytest.approx(78, abs=1)
