"""What sections of params.yaml share: no unknown keys, frozen, strict, limits of numbers."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[float, Field(gt=0)]


NonNegative = Annotated[float, Field(ge=0)]


Share = Annotated[float, Field(ge=0, le=1)]


Count = Annotated[int, Field(ge=1)]


# With limits that a number in another unit, ms for s or kHz for Hz, does not keep.
Seconds = Annotated[float, Field(gt=0, le=600)]


Hertz = Annotated[float, Field(ge=1, le=20_000)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
