"""Image tokens: each sampled frame, or the face in it, through a network that knows pictures.

ViPER 3.1 and 3.5: the CLS token of a ViT's last hidden state. The two small networks give the
mean of their last maps.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl
from PIL import Image

from pipeline_lib.embeddings import faces, pretrained
from pipeline_lib.embeddings.frames import Sample, sample
from pipeline_lib.embeddings.tokens import Tokens, result
from pipeline_lib.incremental import Result
from pipeline_lib.params import ImageEncoder
from pipeline_lib.video.decode import Frame

Floats32 = npt.NDArray[np.float32]

# Frames that a network sees at once: all of a recording's, or what a CPU's cache holds best.
BATCH = {"cuda": 32, "cpu": 4}


class Network(Protocol):
    def prepare(self, picture: Image.Image) -> Floats32:
        """What the network sees of a picture: (C, H, W)."""

    def encode(self, pictures: Sequence[Floats32]) -> Floats32:
        """(n, width)."""


def embed_recording(
    recording: dict[str, Any], *, root: Path, openface: Path, config: ImageEncoder, n: int
) -> Result:
    """Tokens of a recording with a video: one row of schema.EMBEDDINGS.

    A frame without a face is seen whole, and so is every frame if the extraction of faces gave
    none; the ledger's `faces` says how many had one. Raises VideoError if nothing decodes.
    """
    network = load(config)
    rows = faces.measured(openface, recording) if config.crop else None
    found = sample_pictures(root / recording["video"], n, network, rows)
    pictures = [picture for picture, _ in found.items]
    values = in_batches(network, pictures)[found.places]
    seen = int(np.array([has_face for _, has_face in found.items])[found.places].sum())
    tokens = Tokens(
        found.times + recording["video_start"], values, faces=seen if config.crop else None
    )
    return result(recording, tokens)


def sample_pictures(
    video: Path, n: int, network: Network, rows: pl.DataFrame | None
) -> Sample[tuple[Floats32, bool]]:
    """The sampled frames as a network sees them, and whether each shows its face only.

    rows : schema.OPENFACE of this video, to crop to the face; None: whole frames
    """
    find_box = faces.locator(rows)

    def prepare(frame: Frame) -> tuple[Floats32, bool]:
        picture = Image.fromarray(frame.rgb)
        box = find_box(frame.time)
        face = None if box is None else cropped(picture, box)
        return network.prepare(picture if face is None else face), face is not None

    return sample(video, n, prepare)


def cropped(picture: Image.Image, box: npt.NDArray[np.float64]) -> Image.Image | None:
    """What lies in a box (left, top, right, bottom) in px; None if that is no pixel."""
    left, top = np.floor(box[:2]).clip(0).astype(int).tolist()
    right, bottom = np.ceil(box[2:]).clip(0, picture.size).astype(int).tolist()
    return picture.crop((left, top, right, bottom)) if right > left and bottom > top else None


def in_batches(network: Network, pictures: Sequence[Floats32]) -> Floats32:
    size = BATCH[pretrained.device()]
    parts = [network.encode(pictures[i : i + size]) for i in range(0, len(pictures), size)]
    return np.concatenate(parts)


@cache
def load(config: ImageEncoder) -> Network:
    """The network that params name, loaded once a process."""
    if config.backend == "transformers":
        return _Transformer(config)
    return _EfficientNet(config) if config.backend == "efficientnet_lite" else _MiniXception(config)


class _Transformer:
    def __init__(self, config: ImageEncoder) -> None:
        transformers = pretrained.transformers()
        source = pretrained.name_and_revision(config.model)
        # Pillow's, for the other needs torchvision.
        self.processor = transformers.AutoImageProcessor.from_pretrained(**source, backend="pil")
        self.size = {"size": {"height": config.size, "width": config.size}} if config.size else {}
        self.device = pretrained.device()
        self.model = transformers.AutoModel.from_pretrained(**source).eval().to(self.device)

    def prepare(self, picture: Image.Image) -> Floats32:
        pixels = self.processor(images=[picture], return_tensors="np", **self.size)["pixel_values"]
        return np.asarray(pixels[0], np.float32)

    def encode(self, pictures: Sequence[Floats32]) -> Floats32:
        import torch

        options = {"interpolate_pos_encoding": True} if self.size else {}
        with torch.inference_mode():
            pixels = torch.from_numpy(np.stack(pictures)).to(self.device)
            hidden = self.model(pixel_values=pixels, **options).last_hidden_state
        return np.asarray(hidden[:, 0].float().cpu().numpy())


class _EfficientNet:
    def __init__(self, config: ImageEncoder) -> None:
        from pipeline_lib.embeddings import efficientnet_lite

        self.device = pretrained.device()
        weights = pretrained.only_file(config.model)
        self.model = efficientnet_lite.load(weights).to(self.device)
        self.size = config.size or efficientnet_lite.SIZE
        self.mean, self.spread = efficientnet_lite.MEAN, efficientnet_lite.SPREAD

    def prepare(self, picture: Image.Image) -> Floats32:
        scaled = picture.resize((self.size, self.size), Image.Resampling.BICUBIC)
        pixels = (np.asarray(scaled, np.float32) - self.mean) / self.spread
        return np.ascontiguousarray(pixels.transpose(2, 0, 1))

    def encode(self, pictures: Sequence[Floats32]) -> Floats32:
        return pretrained.forward(self.model, self.device, np.stack(pictures))


class _MiniXception:
    def __init__(self, config: ImageEncoder) -> None:
        from pipeline_lib.embeddings import mini_xception
        from pipeline_lib.embeddings.tflite import read_convolutions

        self.device = pretrained.device()
        weights = read_convolutions(pretrained.only_file(config.model))
        self.model = mini_xception.load(weights).to(self.device)
        self.size = config.size or mini_xception.SIZE

    def prepare(self, picture: Image.Image) -> Floats32:
        grey = picture.convert("L").resize((self.size, self.size), Image.Resampling.BILINEAR)
        return np.asarray(grey, np.float32)[None] / 127.5 - 1

    def encode(self, pictures: Sequence[Floats32]) -> Floats32:
        return pretrained.forward(self.model, self.device, np.stack(pictures))
