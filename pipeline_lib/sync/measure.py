"""Measure how the video and the signals of a recording lie in time."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from pipeline_lib.core import tables
from pipeline_lib.core.schema import OPENFACE, SIGNALS, SYNC
from pipeline_lib.incremental import Result
from pipeline_lib.recordings import RecordingError, Signal, skip_reason
from pipeline_lib.sync.offset import estimate_offset, expected_wave, from_samples
from pipeline_lib.sync.pulse import blood_volume, skin_colour
from pipeline_lib.sync.timing import video_timing

MEASURED = {name: dtype for name, dtype in SYNC.items() if name != "shift"}


def sync_recording(
    recording: Mapping[str, Any],
    *,
    root: Path,
    signals: Path,
    openface: Path,
    heart: str | None,
    estimate: bool,
    max_offset: float,
) -> Result:
    """One row of MEASURED; what cannot be measured is null, and `reason` says why.

    recording  : row of the index
    signals    : folder with one shard of schema.SIGNALS a subject
    openface   : folder with one shard of schema.OPENFACE a subject
    heart      : ECG | PPG, to which the pulse in the video is compared
    estimate   : whether to decode the video and look for the offset
    max_offset : s to either side
    """
    key = {name: recording[name] for name in ("subject", "recording_id")}
    channels = tables.read_recording(signals, SIGNALS, **key)
    row: dict[str, Any] = dict.fromkeys(MEASURED)
    row |= {"recording_id": key["recording_id"], "reason": "", **_physio_span(channels)}
    try:
        if reason := skip_reason(recording, needs="video"):
            raise RecordingError(reason)
        video = root / recording["video"]
        row |= _video_span(video, recording["video_start"], channels)
        if estimate:
            faces = tables.read_recording(openface, OPENFACE, **key)
            row |= _offset(recording, video, channels, faces, heart=heart, max_offset=max_offset)
    except RecordingError as error:
        row["reason"] = "; ".join(filter(None, [row["reason"], str(error)]))
    row["reason"] = row["reason"].replace(f"{root}/", "")
    table = pl.DataFrame([row], schema=MEASURED, orient="row")
    return Result(table, "partial" if row["reason"] else "ok", row["reason"])


def _physio_span(channels: pl.DataFrame) -> dict[str, Any]:
    """s from the first sample of all channels to the end of the last."""
    if channels.is_empty():
        return {}
    start = float(channels.select(pl.col("start").min()).item())
    return {"physio_seconds": _physio_end(channels) - start}


def _video_span(video: Path, start: float, channels: pl.DataFrame) -> dict[str, Any]:
    """The video's timing, and by how many s it ends after the signals."""
    timing, problem = video_timing(video)
    end = start + timing.video_seconds
    mismatch = None if channels.is_empty() else end - _physio_end(channels)
    return {**asdict(timing), "mismatch": mismatch, "reason": problem}


def _physio_end(channels: pl.DataFrame) -> float:
    seconds = pl.col("samples").list.len() / pl.col("sampling_rate")
    return float(channels.select((pl.col("start") + seconds).max()).item())


def _offset(
    recording: Mapping[str, Any],
    video: Path,
    channels: pl.DataFrame,
    openface: pl.DataFrame,
    *,
    heart: str | None,
    max_offset: float,
) -> dict[str, Any]:
    """By how many s the video is late, and how many of its frames repeat the one before."""
    beating = channels.filter(pl.col("channel") == (heart or ""))
    if beating.is_empty():
        raise RecordingError(f"no {heart or 'heart channel'} to compare the video with")
    signal = Signal(**beating.drop("recording_id").row(0, named=True))
    expected = expected_wave(replace(signal, samples=np.array(signal.samples)))
    skin = skin_colour(video, openface)
    blood, rate = blood_volume(skin)
    seen = from_samples(blood, rate, start=recording["video_start"] + skin.times[0])
    estimate = estimate_offset(seen, expected, max_offset=max_offset)
    if estimate is None:
        raise RecordingError("the colour of the face shows no pulse at all")
    return {**asdict(estimate), "repeated": skin.n_repeated}
