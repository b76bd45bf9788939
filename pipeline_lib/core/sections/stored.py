"""Systems on stored features: MVP and its kin."""

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from pipeline_lib.core.sections.base import (
    Count,
    NonNegative,
    Positive,
    Seconds,
    Section,
    Share,
)


class Trained(Section):
    """How a system is trained; see training.fit."""

    epochs: Count
    patience: Count
    batch_size: Count
    learning_rate: Positive
    weight_decay: NonNegative

    model_config = ConfigDict(strict=False)  # YAML has lists, not tuples

    @model_validator(mode="after")
    def channels_fit(self) -> Self:
        """What modalities a system sees is known by the names of its keys."""
        dim, heads = getattr(self, "dim", 1), getattr(self, "heads", 1)
        for name in ("visual", "physio"):
            channels = getattr(self, f"{name}_channels", (dim,))
            if len(channels) != len(getattr(self, f"{name}_kernels", (1,))):
                raise ValueError(f"{name}_channels and {name}_kernels differ in length")
            if channels[-1] != dim:
                raise ValueError(f"the last of {name}_channels = {channels[-1]}, not dim = {dim}")
        if dim % heads:
            raise ValueError(f"dim = {dim} is not a multiple of heads = {heads}")
        return self


class Whole(Trained):
    """On whole trials."""

    max_seconds: Annotated[float, Field(gt=0, le=3600)]


class Cut(Trained):
    """On segments of trials."""

    segment_seconds: Seconds


class Attention(Trained):
    """The stack of MVP: backbones to tokens, attention layers, readout."""

    tokens: Count
    dim: Count
    heads: Count
    depth: Count
    dropout: Share
    mask_padding: bool
    readout: Literal["mean", "cls", "last"]


class SeesVideo(Attention):
    visual_channels: tuple[Count, ...]
    visual_kernels: tuple[Count, ...]


class SeesPhysio(Attention):
    physio_channels: tuple[Count, ...]
    physio_kernels: tuple[Count, ...]


class CrossModal(SeesVideo, SeesPhysio):
    quality: Literal["ignore", "mask"]


class UniAU(SeesVideo, Whole):
    pass


class UniPhysio(SeesPhysio, Whole):
    pass


class MVP(CrossModal, Whole):
    pass


class MVPCut(CrossModal, Cut):
    pass


class SelfSupervised(Section):
    epochs: Count
    batch_size: Count
    learning_rate: Positive
    weight_decay: NonNegative
    mask_ratio: Annotated[float, Field(gt=0, lt=1)]
    span_seconds: Positive


class MVPSelfSupervised(MVP):
    pretrain: SelfSupervised


class UniTransformer(Cut):
    physio_channels: tuple[Count, ...]
    physio_kernels: tuple[Count, ...]
    physio_pool: Count
    dim: Count
    heads: Count
    depth: Count
    dropout: Share


class MultiTransformer(UniTransformer):
    visual_channels: tuple[Count, ...]
    visual_kernels: tuple[Count, ...]
    visual_pool: Count
