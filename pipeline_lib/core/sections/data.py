"""Assets, twins and data sets."""

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from pipeline_lib.core.sections.base import Count, Section, Share

# Beside adapter.py in pipeline_lib/datasets/LAYOUT/: modules for what else the owners give.
PARTS = {"amigos": ("long",), "deap": ("original",)}


EDAUnit = Literal["uS", "nS", "Ohm", "relative_Ohm"]


class Asset(Section):
    requirement: str
    member: str
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    licence: str
    path: str | None = None


class Twin(Section):
    """A synthetic data set in the layout of a real one."""

    subjects: Annotated[int, Field(ge=5)]
    trials: Annotated[int, Field(ge=2, le=16)]
    seconds: Annotated[float, Field(ge=4)]
    effect: Share
    traps: Literal["few", "all"]
    seed: int
    width: Count
    height: Count


class Dataset(Section):
    layout: Literal[
        "amigos",
        "bids",
        "deap",
        "hume_reaction",
        "kinetics",
        "stressid",
    ]
    part: str | None
    root: str
    threshold: float
    window_start: float
    heart: Literal["ECG", "PPG"] | None
    eda_unit: EDAUnit | dict[str, EDAUnit] | None

    @field_validator("part")
    @classmethod
    def _part_of_layout(cls, part: str | None, info: ValidationInfo) -> str | None:
        layout = info.data.get("layout")
        known = PARTS.get(str(layout), ())
        if part not in (None, *known):
            raise ValueError(f"is {part!r}; {layout} has {['null', *known]}")
        return part


class Published(Section):
    """Features that the owners of a data set publish instead of its recordings."""

    root: str
