"""VideoMAE: its sizes, its three ways to be trained, and from what each row starts."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pipeline_lib.core.sections.base import Count, NonNegative, Positive, Section


class Start(Section):
    """A fine-tuned system on a data set, and the weights that it starts from."""

    dataset: str
    system: str
    start: Annotated[str, Field(pattern="^(pretrain|supervise)-")]
    crop: Literal["large", "small"] | None = None  # None: models.*.videomae.crop


class Pretrain(Section):
    epochs: Count
    batch_size: Count
    learning_rate: Positive
    weight_decay: NonNegative
    warmup: Annotated[int, Field(ge=0)]
    mask_ratio: Annotated[float, Field(gt=0, lt=1)]


class Finetune(Section):
    epochs: Count
    batch_size: Count
    learning_rate: Positive
    weight_decay: NonNegative
    warmup: Annotated[int, Field(ge=0)]
    patience: Count
    layer_decay: Annotated[float, Field(gt=0, le=1)]


class Supervise(Section):
    epochs: Count
    batch_size: Count
    learning_rate: Positive
    weight_decay: NonNegative
    warmup: Annotated[int, Field(ge=0)]
    layer_decay: Annotated[float, Field(gt=0, le=1)]


class VideoMAE(Section):
    pretrained: str | None
    pretrained_on: str | None
    crop: Literal["large", "small"]
    image_size: Count
    patch_size: Count
    tubelet: Count
    dim: Count
    depth: Count
    heads: Count
    decoder_dim: Count
    decoder_depth: Count
    pretrain: Pretrain
    supervise: Supervise
    finetune: Finetune
    finetune_taught: Finetune

    @model_validator(mode="after")
    def made_of_something(self) -> Self:
        if self.pretrained is None and self.pretrained_on is not None:
            raise ValueError(
                f"pretrained_on = {self.pretrained_on} says what pretrained was made on, "
                "which is null: name a checkpoint, or set pretrained_on to null"
            )
        return self

    @model_validator(mode="after")
    def whole_patches(self) -> Self:
        if self.image_size % self.patch_size:
            raise ValueError(f"image_size = {self.image_size} px is not whole patches of "
                             f"patch_size = {self.patch_size} px")  # fmt: skip
        return self
