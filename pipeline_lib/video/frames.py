"""Frames of face crops as arrays, for the systems that look at one picture at a time."""

import io
from collections.abc import Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl
from PIL import Image

Pixels = npt.NDArray[np.uint8]


def by_recording(
    crops: pl.DataFrame, *, size: int, mode: Literal["L", "RGB"]
) -> Iterator[tuple[str, Pixels]]:
    """Yield each recording's id and its frames with a face in order of time.

    crops : schema.CROPS, of one margin
    size  : px, height and width to which the crops are scaled
    mode  : L: grey (n_frames, size, size) | RGB: (n_frames, size, size, 3)

    A recording without a face is left out.
    """
    faces = crops.filter("face").sort("recording_id", "clip", "position")
    for (name,), rows in faces.group_by("recording_id", maintain_order=True):
        yield str(name), np.stack([_decode(jpeg, size=size, mode=mode) for jpeg in rows["jpeg"]])


def _decode(jpeg: bytes, *, size: int, mode: str) -> Pixels:
    with Image.open(io.BytesIO(jpeg)) as image:
        return np.array(image.convert(mode).resize((size, size), Image.Resampling.BILINEAR))
