"""What is made of a recording: faces, timing, crops, physiology, stored features."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pipeline_lib.core.sections.base import (
    Count,
    Hertz,
    NonNegative,
    Positive,
    Seconds,
    Section,
    Share,
)


class OpenFace(Section):
    command: str
    options: str
    fps: Hertz | None
    batch: Count
    timeout: Positive
    min_success: Share

    @model_validator(mode="after")
    def _rate_of_its_own(self) -> Self:
        if self.fps is not None and "pipeline_lib.face." not in self.command:
            raise ValueError(
                f"openface.fps = {self.fps}, but openface.command = {self.command!r}, as real "
                "OpenFace does, reads every frame: set openface.fps: null"
            )
        return self


class Sync(Section):
    estimate: bool
    apply: bool
    max_offset: Seconds
    min_confidence: Share

    @model_validator(mode="after")
    def _estimated(self) -> Self:
        if self.apply and not self.estimate:
            raise ValueError(
                "sync.apply needs sync.estimate: true, for without it no offset is known"
            )
        return self


class Crop(Section):
    clip_seconds: Seconds
    clip_frames: Annotated[int, Field(ge=2)]
    large: NonNegative
    small: NonNegative
    smoothing: Annotated[float, Field(ge=0, le=600)]
    align: Literal["none", "roll"] = "none"
    size: dict[Literal["tiny", "paper"], Count]
    jpeg_quality: Annotated[int, Field(ge=1, le=100)]


class Band(Section):
    """A Butterworth band in Hz; null leaves that side open."""

    low: Positive | None
    high: Positive | None
    order: Count

    @model_validator(mode="after")
    def rises(self) -> Self:
        if self.low is None and self.high is None:
            raise ValueError("give low, high or both")
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"low = {self.low} Hz is not below high = {self.high} Hz")
        return self


class Physio(Section):
    sampling_rate: Hertz
    mains: Literal["notch", "moving_average", "none"]
    mains_frequency: Hertz
    ECG: Band
    PPG: Band
    EDA: Band

    @model_validator(mode="after")
    def below_nyquist(self) -> Self:
        nyquist = self.sampling_rate / 2
        edges = {f"{name}.{side}": getattr(getattr(self, name), side)
                 for name in ("ECG", "PPG", "EDA") for side in ("low", "high")}  # fmt: skip
        if self.mains != "none":
            edges["mains_frequency"] = self.mains_frequency
        for name, edge in edges.items():
            if edge is not None and edge >= nyquist:
                raise ValueError(f"{name} = {edge} Hz is not below sampling_rate / 2 = {nyquist}")
        return self


class Store(Section):
    fps: Hertz
    visual: Literal["stressid42", "paper42"]
