"""Clips of face crops as tensors, for the systems that look at pixels."""

import io
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset, Subset

from pipeline_lib.core.schema import TARGETS
from pipeline_lib.learning.training import Batch, Items

Pixels = npt.NDArray[np.uint8]

MEMORY = 2 * 2**30  # bytes of decoded clips kept; the others are decoded each time


class Clips(Dataset[Batch]):
    """The clips of one data set that show a face; an item is {"pixels": (T, C, H, W) uint8}.

    crops : schema.CROPS; its JPEGs are decoded when asked for
    crop  : large | small
    size  : px, height and width to which the crops are scaled

    Folds share one: what a fold has decoded is there for the next.
    """

    def __init__(self, crops: pl.DataFrame, *, crop: str, size: int) -> None:
        clips = (
            crops.filter(crop=crop)
            .filter(pl.col("face").any().over("recording_id", "clip"))
            .sort("recording_id", "clip", "position")
            .group_by("recording_id", "clip", maintain_order=True)
            .agg("jpeg")
        )
        self.recording_ids: list[str] = clips["recording_id"].to_list()
        self._jpegs = clips["jpeg"]
        self._size = size
        self._decoded: dict[int, Tensor] = {}

    def __len__(self) -> int:
        return len(self.recording_ids)

    def __getitem__(self, i: int) -> Batch:
        if i in self._decoded:
            return {"pixels": self._decoded[i]}
        frames = np.stack([decode(jpeg, size=self._size) for jpeg in self._jpegs[i]])
        pixels = torch.from_numpy(frames).permute(0, 3, 1, 2)  # (T, H, W, C) -> (T, C, H, W)
        if len(self._decoded) * pixels.nbytes < MEMORY:
            self._decoded[i] = pixels
        return {"pixels": pixels}

    def of(self, recordings: Collection[str]) -> Subset[Batch]:
        """The clips of these recordings."""
        return Subset(self, [i for i, name in enumerate(self.recording_ids) if name in recordings])


class LabelledClips(Items):
    """The clips of the recordings in `labels`, each with its recording's labels (2,).

    labels : recording_id, valence_label, arousal_label
    """

    def __init__(self, clips: Clips, labels: pl.DataFrame) -> None:
        names = labels["recording_id"].to_list()
        values = labels.select(f"{target}_label" for target in TARGETS).to_numpy()
        self.labels = dict(zip(names, torch.tensor(values, dtype=torch.float32), strict=True))
        self.clips = clips.of(self.labels)
        self.recording_ids = [clips.recording_ids[i] for i in self.clips.indices]

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, i: int) -> Batch:
        return {**self.clips[i], "labels": self.labels[self.recording_ids[i]]}


class TaughtClips(Dataset[Batch]):
    """The clips of the recordings in `lessons`, each with its recording's lesson (n,).

    lessons : recording_id -> numbers, NaN for what it does not teach
    """

    def __init__(self, clips: Clips, lessons: Mapping[str, Sequence[float]]) -> None:
        self.clips = clips.of(lessons.keys())
        self.lessons = [
            torch.tensor(lessons[clips.recording_ids[i]], dtype=torch.float32)
            for i in self.clips.indices
        ]

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, i: int) -> Batch:
        return {**self.clips[i], "lesson": self.lessons[i]}


def usable(labels: pl.DataFrame, clips: Clips) -> pl.DataFrame:
    """The recordings with clips and with both labels."""
    return labels.filter(
        pl.col("recording_id").is_in(clips.recording_ids),
        *(pl.col(f"{target}_label").is_not_null() for target in TARGETS),
    )


def lacking(labels: pl.DataFrame, clips: Clips) -> dict[str, str]:
    """What the recordings lack that no system of clips can use, by recording_id."""
    hidden = labels.filter(~pl.col("recording_id").is_in(clips.recording_ids))
    return dict.fromkeys(hidden["recording_id"], "no clip with a face")


def decode(jpeg: bytes, *, size: int) -> Pixels:
    """RGB (size, size, 3) of a JPEG."""
    with Image.open(io.BytesIO(jpeg)) as image:
        image.draft("RGB", (size, size))  # a JPEG twice as large or more is decoded at half, ...
        scaled = image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
        return np.array(scaled)
