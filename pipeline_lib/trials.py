"""Recordings as tensors, for the systems that read whole trials of features.

What is estimated, the scale of the visual features, is estimated on the training fold alone.
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from torch import Tensor

from pipeline_lib.schema import TARGETS
from pipeline_lib.training import Batch, Items, TrainingError

Array = npt.NDArray[np.float32]

N_VISUAL = 42  # columns of the visual matrix, see schema.VISUAL
N_PHYSIO = 2  # heart, EDA


@dataclass(frozen=True)
class Lengths:
    """What recordings are padded to: known from params, never from the data."""

    frames: int
    times: int

    @classmethod
    def of(cls, max_seconds: float, *, fps: float, sampling_rate: float) -> Self:
        return cls(math.ceil(max_seconds * fps), math.ceil(max_seconds * sampling_rate))


@dataclass(frozen=True)
class VisualScale:
    """Mean and standard deviation (42,) of the visual features over frames with a face."""

    mean: Array
    std: Array

    @classmethod
    def of(cls, features: pl.DataFrame) -> Self:
        frames = np.concatenate(_matrices(features, "visual", N_VISUAL))
        faces = frames[~np.isnan(frames).any(axis=1)].astype(np.float64)
        std = faces.std(axis=0)
        return cls(_single(faces.mean(axis=0)), _single(np.where(std > 0, std, 1)))

    def apply(self, visual: Array) -> Array:
        """Standardise (n_frames, 42); a frame without a face becomes 0, the training mean."""
        z = (visual - self.mean) / self.std
        return np.where(np.isnan(z), np.float32(0), z)


class Trials(Items):
    """Recordings as standardised tensors, zero-padded when they are asked for.

    An item: visual (frames, 42), physio (times, 2), n_frames and n_times before padding,
    labels (2,) in the order of TARGETS. Raises TrainingError if a recording is too long.
    """

    def __init__(self, features: pl.DataFrame, scale: VisualScale, lengths: Lengths) -> None:
        _check_lengths(features, lengths)
        self.recording_ids = features["recording_id"].to_list()
        self.visual = [scale.apply(x) for x in _matrices(features, "visual", N_VISUAL)]
        self.physio = [standardise(x) for x in _matrices(features, "physio", N_PHYSIO)]
        self.labels = features.select(f"{target}_label" for target in TARGETS).to_numpy()
        self.lengths = lengths

    def __len__(self) -> int:
        return len(self.recording_ids)

    def __getitem__(self, i: int) -> Batch:
        return {
            "visual": _pad(self.visual[i], self.lengths.frames),
            "physio": _pad(self.physio[i], self.lengths.times),
            "n_frames": torch.tensor(len(self.visual[i])),
            "n_times": torch.tensor(len(self.physio[i])),
            "labels": torch.tensor(self.labels[i], dtype=torch.float32),
        }


def usable(features: pl.DataFrame) -> pl.DataFrame:
    """The recordings with video, with both channels whole, and with both labels."""
    return features.filter(~pl.col("recording_id").is_in([*lacking(features)]))


def lacking(features: pl.DataFrame) -> dict[str, str]:
    """What the recordings lack that are not usable, by recording_id."""
    absent = {
        "no video": pl.col("n_frames") == 0,
        "not both of heart and EDA": pl.col("n_times") == 0,
        "a gap in heart or EDA": pl.col("physio").list.eval(~pl.element().is_finite()).list.any(),
        **{f"no {target} label": pl.col(f"{target}_label").is_null() for target in TARGETS},
    }
    said = [pl.when(is_absent).then(pl.lit(what)) for what, is_absent in absent.items()]
    reasons = features.select(
        "recording_id", pl.concat_str(said, separator="; ", ignore_nulls=True).alias("reason")
    )
    return dict(reasons.filter(pl.col("reason") != "").iter_rows())


def standardise(physio: Array) -> Array:
    """Zero mean and unit variance for each channel of one recording (n_times, 2).

    MVP 4.2 does not say over what it normalises; one recording at a time leaks nothing.
    """
    x = physio.astype(np.float64)
    std = x.std(axis=0)
    return _single((x - x.mean(axis=0)) / np.where(std > 0, std, 1))


def _matrices(features: pl.DataFrame, column: str, n_columns: int) -> list[Array]:
    """The lists of a column of FEATURES as matrices (n_rows, n_columns)."""
    return [cell.to_numpy().reshape(-1, n_columns) for cell in features[column]]


def _check_lengths(features: pl.DataFrame, lengths: Lengths) -> None:
    limits = {"n_frames": lengths.frames, "n_times": lengths.times}
    for column, limit in limits.items():
        for name, length in features.select("recording_id", column).iter_rows():
            if length > limit:
                raise TrainingError(
                    f"{name}: {column} = {length}, above the {limit} that fit into "
                    f"models.<scale>.mvp.max_seconds; raise it"
                )


def _pad(x: Array, length: int) -> Tensor:
    return torch.from_numpy(np.pad(x, ((0, length - len(x)), (0, 0))))


def _single(x: npt.NDArray[np.float64]) -> Array:
    return x.astype(np.float32)
