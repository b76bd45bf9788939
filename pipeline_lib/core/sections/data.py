"""Assets, twins and data sets."""

import math
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from pipeline_lib.core.sections.base import Count, Section, Share

# Beside adapter.py in pipeline_lib/datasets/LAYOUT/: modules for what else the owners give.
PARTS = {"amigos": ("long",), "deap": ("original",)}


# The owners' scales of valence and arousal; those of other layouts are in their files.
SCALES = {"amigos": (1.0, 9.0), "deap": (1.0, 9.0)}


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
    seconds: Annotated[float, Field(ge=4, le=600)]
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
    window_start: Annotated[float, Field(ge=-600, le=600)]
    heart: Literal["ECG", "PPG"] | None
    eda_unit: EDAUnit | dict[str, EDAUnit] | None

    @field_validator("threshold")
    @classmethod
    def _threshold_on_scale(cls, threshold: float, info: ValidationInfo) -> float:
        low, high = SCALES.get(str(info.data.get("layout")), (-math.inf, math.inf))
        if not low <= threshold < high:
            raise ValueError(f"is {threshold:g}, which parts no ratings from {low:g} to {high:g}")
        return threshold

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
