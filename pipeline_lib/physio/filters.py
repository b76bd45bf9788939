"""Resample and filter the ECG, PPG and EDA of a recording, and cut them to the trial's window.

The order is the paper's (MVP 4.2): down-sample, then Butterworth, then mains. All filters run
forward and backward, so none shifts a peak in time.
"""

from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.signal import butter, filtfilt, firwin, iirnotch, resample_poly, sosfiltfilt, tf2sos

from pipeline_lib import params
from pipeline_lib.core import schema, tables
from pipeline_lib.incremental import Result
from pipeline_lib.physio.quality import quality
from pipeline_lib.recordings import RecordingError, Signal, check_signal

Floats = npt.NDArray[np.float64]

NOTCH_Q = 30.0  # mains_frequency / width at -3 dB: 1.7 Hz at 50 Hz
LARGEST_FACTOR = 100_000  # of up- and down-sampling; odd rates are met to 1e-5, 1.6 ms in 155 s
MAX_SAMPLES = 2**25  # of a channel at the rate to filter at: 73 h at 128 Hz, 256 MiB
ROUNDING = 1e-6  # samples: a window that begins on a sample includes it


def resample(x: Floats, sampling_rate: float, *, to: float) -> Floats:
    """Resample with a zero-phase anti-alias filter; the first sample keeps its time.

    x             : (n_times,), any unit; returned (ceil(n_times * to / sampling_rate),)
    sampling_rate : Hz
    to            : Hz

    Beyond its ends the signal is taken to go on as its reflection in the end point, so an
    offset or a slope makes no step there. A constant stays that constant.
    """
    ratio = Fraction(to / sampling_rate).limit_denominator(LARGEST_FACTOR)
    if ratio == 1:
        return x.copy()
    if x.size < 2:  # of which SciPy divides by zero, and ends the process
        return np.resize(x, ceil(x.size * ratio))
    up, down = ratio.numerator, ratio.denominator
    level = np.median(x)
    resampled: Floats = level + resample_poly(
        x - level, up, down, window=_anti_alias(up, down), padtype="antireflect"
    )
    return resampled


def _anti_alias(up: int, down: int) -> Floats:
    """The low-pass of resample_poly, each of its `up` branches with gain 1 at 0 Hz.

    Each output sample comes from one branch. SciPy's gains differ by up to 0.1 %, which of a
    large level, or of a slow drift, makes a ripple as large as the pulse upon it.
    """
    longest = max(up, down)
    low_pass = firwin(20 * longest + 1, 1 / longest, window=("kaiser", 5.0))
    branch = np.arange(low_pass.size) % up
    even: Floats = low_pass / (up * np.bincount(branch, low_pass)[branch])
    return even


def butterworth(
    x: Floats, sampling_rate: float, *, low: float | None, high: float | None, order: int
) -> Floats:
    """Zero-phase Butterworth filter along the last axis.

    x             : (..., n_times), any unit; returned in the same unit
    sampling_rate : Hz
    low, high     : pass-band edges in Hz; None leaves that side open
    order         : of one pass; forward and backward double it

    Raises ValueError if the band does not rise inside (0, Nyquist), RecordingError if x is
    shorter than the padding at its ends.
    """
    edges = [edge for edge in (low, high) if edge is not None]
    if not edges or edges != sorted(set(edges)):
        raise ValueError(f"The band low={low} Hz, high={high} Hz does not rise")
    for edge in edges:
        _check_below_nyquist(edge, sampling_rate, name="a band's edge")
    kind = "bandpass" if len(edges) == 2 else "lowpass" if low is None else "highpass"
    critical = edges if len(edges) == 2 else edges[0]
    sections = butter(order, critical, btype=kind, fs=sampling_rate, output="sos")
    # The padding is sosfiltfilt's own default, spelled out for the check.
    zeros_at_origin = min((sections[:, 2] == 0).sum(), (sections[:, 5] == 0).sum())
    padding = int(3 * (2 * len(sections) + 1 - zeros_at_origin))
    _check_length(x, padding, name=f"a Butterworth filter of order={order}")
    filtered: Floats = sosfiltfilt(sections, x, padlen=padding)
    return filtered


def notch(x: Floats, sampling_rate: float, *, mains: float) -> Floats:
    """Take out the mains hum, and nothing else, with a zero-phase notch.

    x             : (..., n_times), any unit; returned in the same unit
    sampling_rate : Hz
    mains         : Hz. Its harmonics stay: at 128 Hz they lie above Nyquist, where the
                    anti-alias filter has taken them

    Raises ValueError if mains is not inside (0, Nyquist), RecordingError if x is too short.
    """
    _check_below_nyquist(mains, sampling_rate, name="physio.mains_frequency")
    # The notch rings for Q / (pi * mains) seconds, five of which die away in the padding.
    padding = ceil(5 * NOTCH_Q / (np.pi * mains) * sampling_rate)
    _check_length(x, padding, name=f"a notch at mains={mains:g} Hz")
    filtered: Floats = sosfiltfilt(
        tf2sos(*iirnotch(mains, NOTCH_Q, fs=sampling_rate)), x, padlen=padding
    )
    return filtered


def moving_average(x: Floats, sampling_rate: float, *, mains: float) -> Floats:
    """Average over one period of the mains, forward and backward: NeuroKit2's "powerline".

    Its name notwithstanding it is a low-pass: at 128 Hz it averages two samples, which leaves
    0.11 of 50 Hz and takes a third of 25 Hz, where R-peaks still have energy.

    x             : (..., n_times), any unit; returned in the same unit
    sampling_rate : Hz
    mains         : Hz

    Raises ValueError if mains is not inside (0, Nyquist), RecordingError if x is too short.
    """
    _check_below_nyquist(mains, sampling_rate, name="physio.mains_frequency")
    width = int(sampling_rate / mains)
    _check_length(x, 3 * width, name=f"a moving average of {width} samples")
    filtered: Floats = filtfilt(np.ones(width), [width], x, padlen=3 * width)
    return filtered


def filter_signal(signal: Signal, *, physio: params.Physio) -> Signal:
    """Resample and filter one channel as params.physio says; it stays in its unit.

    Raises RecordingError if it cannot be filtered, or would have more than MAX_SAMPLES.
    """
    check_signal(signal)
    rate, band = physio.sampling_rate, getattr(physio, signal.channel)
    seconds = signal.samples.size / signal.sampling_rate
    if seconds * rate > MAX_SAMPLES:
        raise RecordingError(
            f"{signal.channel}: {signal.samples.size} samples at {signal.sampling_rate:g} Hz last "
            f"{seconds / 3600:.0f} h, above {MAX_SAMPLES / rate / 3600:.0f} h at "
            f"physio.sampling_rate = {rate:g} Hz; is the file's sampling rate in Hz?"
        )
    x = resample(signal.samples, signal.sampling_rate, to=rate)
    try:
        x = butterworth(x, rate, low=band.low, high=band.high, order=band.order)
        if physio.mains == "notch":
            x = notch(x, rate, mains=physio.mains_frequency)
        elif physio.mains == "moving_average":
            x = moving_average(x, rate, mains=physio.mains_frequency)
    except RecordingError as error:
        raise RecordingError(f"{signal.channel}: {error}") from None
    return Signal(signal.channel, signal.unit, rate, signal.start, x)


def cut(signals: list[Signal], *, window_start: float) -> list[Signal]:
    """Cut channels of one sampling rate to the window that all of them cover.

    The window begins at `window_start` (s on the trial's axis), or where the channel that
    starts last does, if that is later. Each channel's first sample is its first one in the
    window, and all have as many samples as the shortest has from there on: they begin within
    one sample of each other and end together.

    Raises RecordingError if nothing is left.
    """
    begin = max(window_start, *(signal.start for signal in signals))
    first = [ceil((begin - s.start) * s.sampling_rate - ROUNDING) for s in signals]
    n_times = min(s.samples.size - k for s, k in zip(signals, first, strict=True))
    if n_times <= 0:
        spans = ", ".join(f"{s.channel} {s.start:g} to {_end(s):g} s" for s in signals)
        raise RecordingError(f"no signal after window_start = {window_start:g} s: {spans}")
    return [
        Signal(
            s.channel,
            s.unit,
            s.sampling_rate,
            s.start + k / s.sampling_rate,
            s.samples[k : k + n_times],
        )
        for s, k in zip(signals, first, strict=True)
    ]


def filter_recording(
    recording: dict[str, Any], *, signals: Path, window_start: float, physio: params.Physio
) -> Result:
    """Filter all channels of a recording, whole, and then cut them to the window.

    recording    : a row of the index
    signals      : folder with one shard of schema.SIGNALS a subject
    window_start : s from stimulus onset

    Returns rows of schema.PHYSIO; partial if a channel starts after the window does. Raises
    RecordingError for a channel that cannot be filtered.
    """
    name = recording["recording_id"]
    rows = tables.read_recording(
        signals, schema.SIGNALS, subject=recording["subject"], recording_id=name
    )
    if rows.is_empty():
        raise RecordingError(f"{name} has no rows in {signals.name}/{recording['subject']}.parquet")
    filtered = [filter_signal(_signal(row), physio=physio) for row in rows.to_dicts()]
    channels = cut(filtered, window_start=window_start)
    late = [s for s in filtered if s.start > window_start + 1 / s.sampling_rate]
    table = pl.DataFrame(
        [_row(name, channel) for channel in channels], schema=dict(schema.PHYSIO), orient="row"
    )
    if not late:
        return Result(table)
    starts = ", ".join(f"{s.channel} at {s.start:g} s" for s in late)
    return Result(table, "partial", f"starts after window_start = {window_start:g} s: {starts}")


def _signal(row: dict[str, Any]) -> Signal:
    samples = np.array(row["samples"], dtype=np.float64)
    return Signal(row["channel"], row["unit"], row["sampling_rate"], row["start"], samples)


def _row(recording_id: str, signal: Signal) -> dict[str, Any]:
    return {
        "recording_id": recording_id,
        "channel": signal.channel,
        "unit": signal.unit,
        "sampling_rate": signal.sampling_rate,
        "start": signal.start,
        "quality": quality(signal),
        "samples": signal.samples.astype(np.float32).tolist(),
    }


def _end(signal: Signal) -> float:
    return signal.start + signal.samples.size / signal.sampling_rate


def _check_below_nyquist(hz: float, sampling_rate: float, *, name: str) -> None:
    if not 0 < hz < sampling_rate / 2:
        raise ValueError(
            f"{name} = {hz:g} Hz is not inside (0, Nyquist = {sampling_rate / 2:g} Hz); "
            "look at physio.sampling_rate and the bands below it"
        )


def _check_length(x: Floats, padding: int, *, name: str) -> None:
    if x.shape[-1] <= padding:
        raise RecordingError(
            f"Input is too short (n_times={x.shape[-1]}) for {name}, which pads its ends with "
            f"{padding} samples; exclude the trial"
        )
