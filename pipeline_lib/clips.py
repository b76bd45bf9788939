"""Clips of face crops as tensors, for the systems that look at pixels."""

import io
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset, Subset, get_worker_info

from pipeline_lib.core import tables
from pipeline_lib.core.schema import CROPS, TARGETS
from pipeline_lib.learning.training import Batch, Items

Pixels = npt.NDArray[np.uint8]

MEMORY = 2 * 2**30  # bytes of decoded clips kept; the others are decoded each time


class Clips(Dataset[Batch]):
    """The clips of one data set that show a face; an item is {"pixels": (T, C, H, W) uint8}.

    crops : schema.CROPS, or the folder of its shards, of which then nothing stays in memory but
            where each clip lies, and MEMORY of what was decoded
    crop  : large | small
    size  : px, height and width to which the crops are scaled

    Folds share one: what a fold has decoded is there for the next.
    """

    def __init__(self, crops: pl.DataFrame | Path, *, crop: str, size: int) -> None:
        clips = _held(crops, crop) if isinstance(crops, pl.DataFrame) else _stored(crops, crop)
        self.recording_ids: list[str] = clips["recording_id"].to_list()
        self._clips = clips
        self._size = size
        self._decoded: dict[int, Tensor] = {}

    def __getstate__(self) -> dict[str, Any]:
        """As a worker process gets it: without what was decoded here."""
        return self.__dict__ | {"_decoded": {}}

    def __len__(self) -> int:
        return len(self.recording_ids)

    def __getitem__(self, i: int) -> Batch:
        if i in self._decoded:
            return {"pixels": self._decoded[i]}
        frames = np.stack([decode(jpeg, size=self._size) for jpeg in self._jpegs(i)])
        pixels = torch.from_numpy(frames).permute(0, 3, 1, 2)  # (T, H, W, C) -> (T, C, H, W)
        worker = get_worker_info()
        if (len(self._decoded) + 1) * pixels.nbytes <= MEMORY // (
            worker.num_workers if worker else 1
        ):
            self._decoded[i] = pixels
        return {"pixels": pixels}

    def _jpegs(self, i: int) -> pl.Series:
        """Of a clip, by position."""
        if "jpeg" in self._clips.columns:
            held: pl.Series = self._clips["jpeg"][i]
            return held
        of = self._clips.row(i, named=True)
        found = tables.read_rows(Path(of["file"]), "jpeg", first=of["first"], n=of["n"])
        return found.gather(of["places"])

    def of(self, recordings: Collection[str]) -> Subset[Batch]:
        """The clips of these recordings."""
        return Subset(self, [i for i, name in enumerate(self.recording_ids) if name in recordings])


def _held(crops: pl.DataFrame, crop: str) -> pl.DataFrame:
    """recording_id, clip, and the jpeg of each position."""
    return _by_clip(crops.filter(crop=crop), pl.col("jpeg"))


def _stored(folder: Path, crop: str) -> pl.DataFrame:
    """recording_id, clip, the file that it is in, n rows from `first` on, and places among them."""
    row = pl.col("row")
    where = [
        _by_clip(
            rows,
            first=row.min(),
            n=row.max() - row.min() + 1,
            places=row - row.min(),
        ).with_columns(file=pl.lit(str(path)))
        for path, rows in tables.scan_rows(
            folder,
            CROPS,
            ["recording_id", "crop", "clip", "position", "face"],
            pl.col("crop") == crop,
        )
    ]
    empty = {"recording_id": pl.String, "clip": pl.Int32}
    return pl.concat(where).sort("recording_id", "clip") if where else pl.DataFrame(schema=empty)


def _by_clip(rows: pl.DataFrame, *what: pl.Expr, **named: pl.Expr) -> pl.DataFrame:
    """One row a clip that shows a face, by recording and clip."""
    return (
        rows.filter(pl.col("face").any().over("recording_id", "clip"))
        .sort("recording_id", "clip", "position")
        .group_by("recording_id", "clip", maintain_order=True)
        .agg(*what, **named)
    )


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
