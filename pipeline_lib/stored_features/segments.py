"""Recordings cut into segments of one length: what 10 s systems read (MVP 2.1, 5.1).

Segments follow each other without overlap, each an item with its trial's labels. What is left at
the end is covered by a last segment that ends with the recording, so it overlaps the one before:
every sample is seen, and none is padded. Only a recording shorter than a segment is zero-padded,
as is a modality where the other one lasts longer.
"""

import math
from itertools import pairwise

import polars as pl
import torch

from pipeline_lib.learning.training import TrainingError
from pipeline_lib.stored_features.trials import (
    BOTH,
    Array,
    Lengths,
    Modality,
    TensorItems,
    VisualScale,
    faces_of,
    labels_of,
    pad,
    quality_of,
    stacked,
    standardised,
)


class Segments(TensorItems):
    """Items as those of `Trials`, of `seconds` each; recording_ids says whose each is.

    A recording is standardised whole, before it is cut. With `between`, which a flaw asks for, the
    segments are those halfway between two of the ordinary ones, and overlap both.
    """

    def __init__(
        self,
        features: pl.DataFrame,
        scale: VisualScale | None,
        seconds: float,
        *,
        fps: float,
        sampling_rate: float,
        modalities: tuple[Modality, ...] = BOTH,
        quality: bool = False,
        between: bool = False,
    ) -> None:
        """fps, sampling_rate: Hz; quality: see Trials, that of heart and EDA is the trial's."""
        rates: dict[Modality, float] = {"visual": fps, "physio": sampling_rate}
        lengths = Lengths.of(seconds, fps=fps, sampling_rate=sampling_rate)
        arrays = standardised(features, scale, modalities)
        lasting = [
            max(len(arrays[modality][i]) / rates[modality] for modality in modalities)
            for i in range(features.height)
        ]
        where = cuts_between if between else cuts
        starts = [(i, at) for i, whole in enumerate(lasting) for at in where(whole, seconds)]
        if not starts:
            raise TrainingError(
                f"no recording lasts longer than segment_seconds = {seconds:g} s, so no segments "
                "overlap: shorten models.<scale>.<system>.segment_seconds, or take "
                "overlapping_windows out of flaws"
            )
        cut = {
            modality: [
                _from(of_all[i], round(at * rates[modality]), lengths[modality]) for i, at in starts
            ]
            for modality, of_all in arrays.items()
        }
        tensors = stacked(cut, lengths)
        whose = torch.tensor([i for i, _ in starts])
        if quality:
            shown = faces_of(features)
            faces = [_from(shown[i], round(at * fps), lengths.frames) for i, at in starts]
            tensors["faces"] = pad(faces, lengths.frames).squeeze(2) > 0
            tensors["quality"] = quality_of(features)[whose]
        tensors["labels"] = labels_of(features)[whose]
        names = features["recording_id"].to_list()
        super().__init__([names[i] for i, _ in starts], tensors)


def cuts(whole: float, seconds: float) -> list[float]:
    """Where segments of `seconds` start in a recording that lasts `whole`, s.

    >>> cuts(25.0, 10.0)
    [0.0, 10.0, 15.0]
    """
    n_segments = max(1, math.ceil(whole / seconds - 1e-6))  # a sample's share of error in `whole`
    return [max(0.0, min(i * seconds, whole - seconds)) for i in range(n_segments)]


def cuts_between(whole: float, seconds: float) -> list[float]:
    """Where segments start that lie halfway between two of `cuts`, s.

    >>> cuts_between(25.0, 10.0)
    [5.0, 12.5]
    """
    return [(a + b) / 2 for a, b in pairwise(cuts(whole, seconds))]


def _from(x: Array, start: int, length: int) -> Array:
    return x[start : start + length]
