"""Join video features and physiology of a recording on the trial's time axis."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline_lib.core.schema import VISUAL

Floats32 = npt.NDArray[np.float32]


def features(
    recording: Mapping[str, Any],
    *,
    openface: pl.DataFrame,
    physio: pl.DataFrame,
    visual: str,
    fps: float,
    window_start: float,
    heart: str | None,
) -> dict[str, Any]:
    """One row of schema.FEATURES; a modality that is not there is null with length 0.

    openface, physio : the recording's rows of schema.OPENFACE and schema.PHYSIO, maybe none
    visual           : which 42, a key of schema.VISUAL
    """
    frames = visual_matrix(
        openface,
        columns=VISUAL[visual],
        video_start=recording["video_start"],
        window_start=window_start,
        fps=fps,
    )
    signals, quality = physio_matrix(physio, heart=heart)
    return {
        "recording_id": recording["recording_id"],
        "subject": recording["subject"],
        "n_frames": len(frames),
        "visual": frames.ravel().tolist() if len(frames) else None,
        "face_share": float((~np.isnan(frames[:, 0])).mean()) if len(frames) else None,
        "n_times": len(signals),
        "physio": signals.ravel().tolist() if len(signals) else None,
        "heart_quality": quality.get(heart or ""),
        "EDA_quality": quality.get("EDA"),
        "valence_label": recording["valence_label"],
        "arousal_label": recording["arousal_label"],
    }


def visual_matrix(
    openface: pl.DataFrame,
    *,
    columns: tuple[str, ...],
    video_start: float | None,
    window_start: float,
    fps: float,
) -> Floats32:
    """Features at fps from the window's start to the last frame, (n_frames, n_features).

    Each row is that of the nearest frame; NaN where that one shows no face, or where no frame
    lies within 1 / fps.
    """
    if openface.is_empty() or video_start is None:
        return np.empty((0, len(columns)), np.float32)
    with_all = openface.with_columns(
        pl.when("success").then(0.0).cast(pl.Float32).alias(name)
        for name in columns
        if name not in openface.columns
    )  # AU28_r, which OpenFace does not have: 0, as the paper's 42 imply
    values = with_all.select(columns).to_numpy().astype(np.float32)
    times = openface["time"].to_numpy() + video_start
    start = max(window_start, times[0])
    grid = start + np.arange(int((times[-1] - start) * fps + 1e-6) + 1) / fps
    right = np.searchsorted(times, grid).clip(1, max(1, len(times) - 1))
    left = right - 1
    right = right.clip(max=len(times) - 1)
    nearest = np.where(grid - times[left] <= times[right] - grid, left, right)
    frames: Floats32 = values[nearest]
    frames[np.abs(times[nearest] - grid) > 1 / fps] = np.nan
    return frames


def physio_matrix(physio: pl.DataFrame, *, heart: str | None) -> tuple[Floats32, dict[str, float]]:
    """Heart channel and EDA side by side, (n_times, 2), and each channel's quality.

    A recording that lacks one of the two has no rows: systems take both or neither.
    """
    channels = {row["channel"]: row["samples"] for row in physio.to_dicts()}
    quality = dict(physio.select("channel", "quality").iter_rows())
    if heart not in channels or "EDA" not in channels:
        return np.empty((0, 2), np.float32), quality
    return np.column_stack([channels[heart], channels["EDA"]]).astype(np.float32), quality
