"""ViPER's sampling of clips, and its encoders."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline_lib.core.sections.base import Count, Positive, Section


class Sampling(Section):
    """Which frames and fragments of sound stand for a clip."""

    frames: Annotated[int, Field(ge=2)]
    fragmenting: Literal["paper", "code"]


class ImageEncoder(Section):
    backend: Literal["transformers", "efficientnet_lite", "mini_xception"]
    model: str
    crop: bool
    size: Count | None = None  # px; None: the model's own


class TextEncoder(Section):
    model: str
    pooling: Literal["cls", "mean"]
    config: str | None = None  # None: beside the model
    tokenizer: str | None = None


class CaptionEncoder(Section):
    chooser: str  # a CLIP | action_units
    crop: bool
    text: TextEncoder


class AudioEncoder(Section):
    backend: Literal["transformers", "resemblyzer"]
    model: str
    context: Positive | None  # s that a fragment is widened to; None: as it is


class FacialActions(Section):
    pyfeat: str | None  # folder with Py-Feat's CSVs; None: OpenFace's units


class Embeddings(Section):
    image_base_whole: ImageEncoder
    image_base: ImageEncoder
    image_face_whole: ImageEncoder
    image_face: ImageEncoder
    caption: CaptionEncoder
    audio: AudioEncoder
    fau: FacialActions
