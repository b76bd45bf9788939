"""Embeddings of several encoders as tokens of one recording, and what is missing in them.

A token is one of N frames: its inputs stand beside each other, in the order of `inputs` in
params.yaml. Missing is what is NaN: a whole input, whose place a model fills by itself, or single
values in it, which take the mean of the training recordings.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl
import torch

from pipeline_lib.learning.training import Batch, Items, TrainingError

Array = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FEATURES = {"visual": "n_frames", "physio": "n_times"}  # inputs out of schema.FEATURES
BLOCK = 256  # recordings at once: a data set fills the memory once, and its masks would again


@dataclass(frozen=True)
class Tokens:
    """Tokens of recordings."""

    recording_ids: Sequence[str]
    widths: Mapping[str, int]  # input -> values of a token
    values: Array  # (n_recordings, N, sum of widths); NaN: missing

    @property
    def n_tokens(self) -> int:
        return int(self.values.shape[1])

    def known(self) -> npt.NDArray[np.bool_]:
        """(n_recordings,), whether there is anything at all."""
        blocks = [~np.isnan(block).all(axis=(1, 2)) for block in _blocks(self.values)]
        return np.concatenate(blocks) if blocks else np.empty(0, dtype=bool)


@dataclass(frozen=True)
class Scale:
    """What is taken off each value (D,), and what it is divided by; of training recordings."""

    mean: Array
    std: Array
    fill: Array  # in place of a value that is missing, scaled

    @classmethod
    def of(cls, values: Array, rows: Ints, *, standardise: bool) -> Self:
        """values (n_recordings, N, D), of which `rows` are trained on.

        Unless `standardise`, values stay as they are (the paper).
        """
        width = values.shape[2]
        n, total = np.zeros(width), np.zeros(width)
        for block in _blocks(values, rows):
            n += (~np.isnan(block)).sum(axis=(0, 1))
            total += np.nansum(block, axis=(0, 1), dtype=np.float64)
        mean = total / n.clip(1)  # of what nobody has: 0
        squares = np.zeros(width)
        for block in _blocks(values, rows):
            squares += np.nansum((block - mean) ** 2, axis=(0, 1))
        std = np.sqrt(squares / n.clip(1))
        if not standardise:
            return cls(_single(np.zeros(width)), _single(np.ones(width)), _single(mean))
        return cls(_single(mean), _single(np.where(std > 0, std, 1)), _single(np.zeros(width)))

    def apply(self, values: Array) -> Array:
        scaled = (values - self.mean) / self.std
        return np.where(np.isnan(scaled), self.fill, scaled)


class Recordings(Items):
    """Items: tokens (N, D) without NaN, present (N, n_inputs), and labels (n_targets,).

    present: True where the input has a token. What stands in the place of another is the fill of
    single values, which no model reads.
    """

    def __init__(self, tokens: Tokens, rows: Ints, scale: Scale, labels: Floats) -> None:
        """labels: of the rows; NaN if they are withheld."""
        self.recording_ids = [tokens.recording_ids[row] for row in rows]
        self.tokens, self.rows, self.scale, self.labels = tokens, rows, scale, labels
        self.ends = np.cumsum(list(tokens.widths.values()))[:-1]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> Batch:
        return {name: x[0] for name, x in self.__getitems__([i]).items()}

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """What torch's DataLoader asks for, where it is there: a whole batch."""
        values = self.tokens.values[self.rows[list(indices)]]  # (B, N, D)
        slices = np.split(values, self.ends, axis=2)
        present = np.stack([~np.isnan(part).all(axis=2) for part in slices], axis=2)
        return {
            "tokens": torch.from_numpy(self.scale.apply(values)),
            "present": torch.from_numpy(present),
            "labels": torch.from_numpy(self.labels[list(indices)]).float(),
        }


def joined(inputs: Mapping[str, Array], recording_ids: Sequence[str], *, n_tokens: int) -> Tokens:
    """The tokens (n_recordings, N, width) of each input, side by side.

    Raises TrainingError if an input has not n_tokens of them.
    """
    counts = {name: array.shape[1] for name, array in inputs.items()}
    if set(counts.values()) != {n_tokens}:
        raise TrainingError(
            f"tokens of a recording by input: {counts}; fusion.<scale>.<system>.tokens = {n_tokens}"
        )
    widths = {name: array.shape[2] for name, array in inputs.items()}
    return Tokens(recording_ids, widths, np.concatenate(list(inputs.values()), axis=2))


def of_embeddings(table: pl.DataFrame, recording_ids: Sequence[str], *, encoder: str) -> Array:
    """Tokens (n_recordings, N, width) of an encoder; NaN for recordings that it has not.

    table : schema.EMBEDDINGS
    Raises TrainingError if there is nothing, or if recordings differ in size.
    """
    sizes = table.select(pl.col("times").list.len().alias("n"), "width").unique()
    if sizes.height != 1:
        raise TrainingError(
            f"{encoder}: tokens and widths {sizes.rows()}, expected one size of all recordings; "
            "run `dvc repro viper/dvc.yaml:embed`"
        )
    n_tokens, width = sizes.row(0)
    values = table["values"].explode().cast(pl.Float32).to_numpy().reshape(-1, n_tokens, width)
    return _placed(values, table["recording_id"], recording_ids)


def of_features(
    features: pl.DataFrame, recording_ids: Sequence[str], *, modality: str, n_tokens: int
) -> Array:
    """Action units or physiology as tokens (n_recordings, n_tokens, width).

    features : schema.FEATURES
    A token is the mean over one of n_tokens equal spans of the recording, of what is known there;
    NaN where nothing is.
    """
    count = FEATURES[modality]
    arrays = []
    for n, flat in features.select(count, modality).iter_rows():
        width = len(flat) // n if n else 0
        arrays.append(np.asarray(flat, dtype=np.float32).reshape(n, width))
    width = max((array.shape[1] for array in arrays), default=0)
    if not width:
        raise TrainingError(f"no recording has {modality} features; take it out of fusion inputs")
    empty = np.full((n_tokens, width), np.nan, dtype=np.float32)
    values = np.stack([span_means(array, n_tokens) if len(array) else empty for array in arrays])
    return _placed(values, features["recording_id"], recording_ids)


def span_means(x: Array, n_spans: int) -> Array:
    """Means (n_spans, width) over equal spans of x (n_times, width), of what is not NaN.

    Fewer samples than spans: a sample serves in each span that it reaches into.
    """
    edges = np.linspace(0, len(x), n_spans + 1)
    starts = np.floor(edges[:-1] + 1e-9).astype(int)
    stops = np.maximum(np.ceil(edges[1:] - 1e-9).astype(int), starts + 1)
    spans = [x[start:stop] for start, stop in zip(starts, stops, strict=True)]
    counts = np.array([(~np.isnan(span)).sum(axis=0) for span in spans])
    sums = np.array([np.nansum(span, axis=0) for span in spans])
    return np.where(counts > 0, sums / counts.clip(1), np.nan).astype(np.float32)


def _placed(values: Array, names: pl.Series, recording_ids: Sequence[str]) -> Array:
    """The rows of these recordings, NaN for those that are not there."""
    row_of = {name: i for i, name in enumerate(names)}
    rows = np.array([row_of.get(name, -1) for name in recording_ids], dtype=np.int64)
    placed = values[rows]
    placed[rows < 0] = np.nan
    return placed


def _blocks(values: Array, rows: Ints | None = None) -> Iterator[Array]:
    for start in range(0, len(values) if rows is None else len(rows), BLOCK):
        block = slice(start, start + BLOCK)
        yield values[block] if rows is None else values[rows[block]]


def _single(x: Floats) -> Array:
    return x.astype(np.float32)
