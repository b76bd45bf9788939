"""The index of a data set: one row per recording, and what an adapter has to tell about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class DatasetError(ValueError):
    """A data set as a whole cannot be read: no root, wrong layout, nothing in it."""


class RecordingError(ValueError):
    """One recording cannot be used; the message is the reason that the ledger shows."""


@dataclass(frozen=True)
class Source:
    """A recording as file names and small tables announce it, before anything is read."""

    recording_id: str
    subject: str
    trial: str
    stimulus: str
    order: int | None  # place in the session, from 1
    signals: Path | None  # the file with the signals; several recordings may share it
    video: Path | None
    audio: Path | None = None  # a sound file, or the video if the sound is in it
    split: str | None = None  # the owners' own: train | validation | test
    tables: tuple[Path, ...] = ()  # further files that the reading depends on


@dataclass(frozen=True)
class Signal:
    """One channel of one recording at its native rate."""

    channel: str  # ECG | PPG | EDA
    unit: str
    sampling_rate: float  # Hz
    start: float  # s, the first sample from stimulus onset
    samples: Floats  # (n_times,)
    source_unit: str = ""  # in the file, if the samples were converted from another


@dataclass(frozen=True)
class Reading:
    """What the raw files say about one recording.

    A `duration` of None, and an `audio_start` of None where the source has a sound, leave it to
    the clips to tell: see pipeline_lib.media.
    """

    signals: tuple[Signal, ...] = ()
    ratings: Mapping[str, float] = field(default_factory=dict)  # all, by name; none: unrated
    video_start: float | None = None  # s, the first frame from stimulus onset
    audio_start: float | None = None  # s, the first sample from stimulus onset
    duration: float | None = None  # s from stimulus onset
    missing: tuple[str, ...] = ()  # one sentence for each thing that is not there


@dataclass(frozen=True)
class Official:
    """What the owners of a data set say it holds, which is more than there is on most disks."""

    subjects: int | None
    recordings: int | None
    videos: int | None
    source: str  # who says so


def check_signal(signal: Signal) -> Signal:
    """Return the signal, or raise RecordingError if it is empty, has a NaN or is constant."""
    n_bad = int((~np.isfinite(signal.samples)).sum())
    if signal.samples.size == 0:
        raise RecordingError(f"{signal.channel} is empty")
    if n_bad:
        raise RecordingError(f"{signal.channel}: {n_bad} of {signal.samples.size} samples are NaN")
    if np.ptp(signal.samples) == 0:
        raise RecordingError(f"{signal.channel} is constant at {signal.samples[0]:g}")
    return signal


def skip_reason(recording: Mapping[str, Any], *, needs: str) -> str:
    """Why a stage that needs the column `needs` cannot take this recording; "" if it can."""
    if recording["status"] in ("failed", "excluded"):
        return str(recording["reason"])
    return "" if recording[needs] is not None else f"no {needs.removesuffix('_sha256')}"
