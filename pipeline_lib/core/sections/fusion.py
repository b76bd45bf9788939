"""Systems on embeddings: ViPER and other ways to fuse."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from pipeline_lib.core.sections.base import Count, Share
from pipeline_lib.core.sections.stored import Trained


class Fusion(Trained):
    """A system on tokens; see pipeline_lib.fusion.training."""

    inputs: Annotated[list[str], Field(min_length=1)]
    tokens: Count
    standardise: bool
    modality_dropout: Annotated[float, Field(ge=0, lt=1)]
    halve_every: Count | None

    @field_validator("inputs")
    @classmethod
    def _once_each(cls, inputs: list[str]) -> list[str]:
        if len(set(inputs)) < len(inputs):
            raise ValueError(f"an input occurs twice in {inputs}")
        return inputs


class ViPER(Fusion):
    model: Literal["viper"]
    latents: Count
    dim: Count
    depth: Count
    heads: Count
    cross_heads: Count
    keys: Literal["tokens", "latents"]
    positions: Literal["none", "learned"]
    dropout: Share


class LSTM(Fusion):
    model: Literal["lstm"]
    dim: Count
    depth: Count
    dropout: Share
    head_dropout: Share


class Early(Fusion):
    model: Literal["early"]
    dim: Count
    depth: Count
    dropout: Share


class LowRank(Fusion):
    model: Literal["tensor"]
    dim: Count
    rank: Count
    dropout: Share


class Several(Fusion):
    """A system whose equations are about two inputs or more."""

    inputs: Annotated[list[str], Field(min_length=2)]
    dim: Annotated[int, Field(ge=2, multiple_of=2)]
    heads: Count
    depth: Count
    dropout: Share


class MulT(Several):
    model: Literal["mult"]
    kernel: Count


class BBFN(Several):
    model: Literal["bbmf"]


class TBJE(Several):
    model: Literal["tbje"]


FusionSystem = Annotated[
    ViPER | LSTM | Early | LowRank | MulT | BBFN | TBJE, Field(discriminator="model")
]
