"""Recordings as tensors, for the systems that read stored features: whole trials.

What is estimated, the scale of the visual features, is estimated on the training fold alone.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from torch import Tensor

from pipeline_lib.core.schema import TARGETS
from pipeline_lib.learning.training import Batch, Items, TrainingError

Array = npt.NDArray[np.float32]
Modality = Literal["visual", "physio"]  # columns of FEATURES, and names of a model's inputs

N_VISUAL = 42  # columns of the visual matrix, see schema.VISUAL
N_PHYSIO = 2  # heart, EDA
BOTH: tuple[Modality, ...] = ("visual", "physio")
COUNTS: dict[Modality, str] = {"visual": "n_frames", "physio": "n_times"}


@dataclass(frozen=True)
class Lengths:
    """What recordings are padded to, or cut to: known from params, never from the data."""

    frames: int
    times: int

    @classmethod
    def of(cls, seconds: float, *, fps: float, sampling_rate: float) -> Self:
        return cls(math.ceil(seconds * fps), math.ceil(seconds * sampling_rate))

    def __getitem__(self, modality: Modality) -> int:
        return self.frames if modality == "visual" else self.times


@dataclass(frozen=True)
class VisualScale:
    """Mean and standard deviation (42,) of the visual features over frames with a face."""

    mean: Array
    std: Array

    @classmethod
    def of(cls, features: pl.DataFrame) -> Self:
        frames = np.concatenate(matrices(features, "visual", N_VISUAL))
        faces = frames[~np.isnan(frames).any(axis=1)].astype(np.float64)
        std = faces.std(axis=0)
        return cls(_single(faces.mean(axis=0)), _single(np.where(std > 0, std, 1)))

    def apply(self, visual: Array) -> Array:
        """Standardise (n_frames, 42); a frame without a face becomes 0, the training mean."""
        z = (visual - self.mean) / self.std
        return np.where(np.isnan(z), np.float32(0), z)


class TensorItems(Items):
    """Items as rows of tensors that are made once; a batch is picked, not put together."""

    def __init__(self, recording_ids: list[str], tensors: Batch) -> None:
        self.recording_ids = recording_ids
        self.tensors = tensors

    def __len__(self) -> int:
        return len(self.recording_ids)

    def __getitem__(self, i: int) -> Batch:
        return {name: x[i] for name, x in self.tensors.items()}

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """What torch's DataLoader asks for, where it is there: a whole batch."""
        rows = torch.as_tensor(indices)
        return {name: x[rows] for name, x in self.tensors.items()}

    def and_of(self, other: "TensorItems") -> "TensorItems":
        """These items and the other ones, of the same kind."""
        tensors = {name: torch.cat([x, other.tensors[name]]) for name, x in self.tensors.items()}
        return TensorItems([*self.recording_ids, *other.recording_ids], tensors)


class Trials(TensorItems):
    """Recordings as standardised tensors, zero-padded.

    Of each modality asked for: visual (frames, 42) and n_frames before padding, physio (times, 2)
    and n_times; and labels (2,) in the order of TARGETS. With `quality` also faces (frames,), True
    where there is one, and quality (2,) of heart and EDA, 0 bad to 1 good; what is missing is 0.
    Raises TrainingError if a recording is too long.
    """

    def __init__(
        self,
        features: pl.DataFrame,
        scale: VisualScale | None,
        lengths: Lengths,
        modalities: tuple[Modality, ...] = BOTH,
        *,
        quality: bool = False,
    ) -> None:
        """scale: of the training fold; needed for `visual`."""
        for modality in modalities:
            _check_lengths(features, modality, lengths[modality])
        arrays = standardised(features, scale, modalities)
        tensors = stacked(arrays, lengths)
        if quality:
            faces = pad(faces_of(features), lengths.frames).squeeze(2) > 0
            tensors |= {"faces": faces, "quality": quality_of(features)}
        tensors["labels"] = labels_of(features)
        super().__init__(features["recording_id"].to_list(), tensors)


def stacked(arrays: Mapping[Modality, Sequence[Array]], lengths: Lengths) -> Batch:
    """Modalities, then their lengths before padding: the order of a model's arguments."""
    batch: Batch = {}
    for modality, of_all in arrays.items():
        batch[modality] = pad(of_all, lengths[modality])
    for modality, of_all in arrays.items():
        batch[COUNTS[modality]] = torch.tensor([len(x) for x in of_all])
    return batch


def standardised(
    features: pl.DataFrame, scale: VisualScale | None, modalities: tuple[Modality, ...]
) -> dict[Modality, list[Array]]:
    """Arrays (n_frames, 42) or (n_times, 2) of each recording."""
    arrays: dict[Modality, list[Array]] = {}
    if "visual" in modalities:
        if scale is None:
            raise ValueError("visual features need the scale of the training fold")
        arrays["visual"] = [scale.apply(x) for x in matrices(features, "visual", N_VISUAL)]
    if "physio" in modalities:
        arrays["physio"] = [standardise(x) for x in matrices(features, "physio", N_PHYSIO)]
    return arrays


def standardise(physio: Array) -> Array:
    """Zero mean and unit variance for each channel of one recording (n_times, 2).

    MVP 4.2 does not say over what it normalises; one recording at a time leaks nothing. Missing
    samples, NaN, become 0, the mean of the others.
    """
    if not len(physio):
        return physio
    x = physio.astype(np.float64)
    known = np.isfinite(x)
    if not known.all():
        x = np.where(known, x, _means(x, known))
    std = x.std(axis=0)
    return _single((x - x.mean(axis=0)) / np.where(std > 0, std, 1))


def faces_of(features: pl.DataFrame) -> list[Array]:
    """Of each recording (n_frames, 1), 1 where a face was measured, else 0."""
    measured = (np.isfinite(x).all(axis=1) for x in matrices(features, "visual", N_VISUAL))
    return [np.array(faces, np.float32).reshape(-1, 1) for faces in measured]


def quality_of(features: pl.DataFrame) -> Tensor:
    """(n_items, 2) of heart and EDA: as measured, times the share of samples that are there."""
    there = [
        np.isfinite(x).mean(axis=0) if len(x) else np.zeros(N_PHYSIO)
        for x in matrices(features, "physio", N_PHYSIO)
    ]
    measured = features.select("heart_quality", "EDA_quality").fill_null(0.0).to_numpy()
    return torch.tensor(measured * np.stack(there), dtype=torch.float32)


def usable(
    features: pl.DataFrame, modalities: tuple[Modality, ...] = BOTH, *, any_of_them: bool = False
) -> pl.DataFrame:
    """The recordings with these modalities whole, and with both labels; see `lacking`."""
    wanting = lacking(features, modalities, any_of_them=any_of_them)
    return features.filter(~pl.col("recording_id").is_in([*wanting]))


def with_signals(features: pl.DataFrame, modalities: tuple[Modality, ...]) -> pl.DataFrame:
    """The recordings with these modalities whole, labelled or not."""
    return features.filter(~pl.any_horizontal(*_missing(modalities).values()))


def lacking(
    features: pl.DataFrame, modalities: tuple[Modality, ...] = BOTH, *, any_of_them: bool = False
) -> dict[str, str]:
    """What the recordings lack that are not usable, by recording_id.

    any_of_them : one of the modalities is enough, and gaps in the signals are no hindrance
    """
    if any_of_them:
        nothing = pl.all_horizontal(pl.col(COUNTS[modality]) == 0 for modality in modalities)
        wanting = {"neither video nor signals": nothing}
    else:
        wanting = _missing(modalities)
    wanting |= {f"no {target} label": pl.col(f"{target}_label").is_null() for target in TARGETS}
    said = [pl.when(is_absent).then(pl.lit(what)) for what, is_absent in wanting.items()]
    reasons = features.select(
        "recording_id", pl.concat_str(said, separator="; ", ignore_nulls=True).alias("reason")
    )
    return dict(reasons.filter(pl.col("reason") != "").iter_rows())


def _missing(modalities: tuple[Modality, ...]) -> dict[str, pl.Expr]:
    """What may be missing of the modalities -> where it is."""
    gap = pl.col("physio").list.eval(~pl.element().is_finite()).list.any()
    of: dict[Modality, dict[str, pl.Expr]] = {
        "visual": {"no video": pl.col("n_frames") == 0},
        "physio": {
            "not both of heart and EDA": pl.col("n_times") == 0,
            "a gap in heart or EDA": gap.fill_null(False),
        },
    }
    return {what: where for modality in modalities for what, where in of[modality].items()}


def matrices(features: pl.DataFrame, column: Modality, n_columns: int) -> list[Array]:
    """The lists of a column of FEATURES as matrices (n_rows, n_columns); none is empty."""
    return [
        np.empty((0, n_columns), np.float32)
        if cell is None
        else cell.to_numpy().reshape(-1, n_columns)
        for cell in features[column]
    ]


def pad(arrays: Sequence[Array], length: int) -> Tensor:
    """(n_items, length, n_columns), zeros past the end of each."""
    stacked = torch.zeros(len(arrays), length, arrays[0].shape[1])
    for row, x in zip(stacked, arrays, strict=True):
        row[: len(x)] = torch.from_numpy(x)
    return stacked


def labels_of(features: pl.DataFrame) -> Tensor:
    """(n_items, 2) in the order of TARGETS."""
    values = features.select(f"{target}_label" for target in TARGETS).to_numpy()
    return torch.tensor(values, dtype=torch.float32)


def _check_lengths(features: pl.DataFrame, modality: Modality, limit: int) -> None:
    column = COUNTS[modality]
    for name, length in features.select("recording_id", column).iter_rows():
        if length > limit:
            raise TrainingError(
                f"{name}: {column} = {length}, above the {limit} that fit into "
                f"models.<scale>.<system>.max_seconds; raise it"
            )


def _means(x: npt.NDArray[np.float64], known: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """(n_columns,) over what is known; 0 of a column of which nothing is."""
    means: npt.NDArray[np.float64] = np.where(known, x, 0).sum(axis=0) / known.sum(axis=0).clip(1)
    return means


def _single(x: npt.NDArray[np.float64]) -> Array:
    return x.astype(np.float32)
