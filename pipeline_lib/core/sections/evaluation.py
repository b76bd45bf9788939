"""Folds, flaws on request, and statistics."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline_lib.core.sections.base import Count, Section

Flaw = Literal[
    "trial_level",
    "overlapping_windows",
    "epoch_on_test",
    "global_normalisation",
    "leaky_pretraining",
]


class Splits(Section):
    protocol: Literal["grouped", "loso", "repeated", "stimulus"]
    folds: Annotated[int, Field(ge=2)]
    repeats: Count
    stimulus_folds: Annotated[int, Field(ge=2)]
    validation: Annotated[float, Field(gt=0, lt=1)]


class Evaluation(Section):
    bootstrap: Count
    permutations: Count
    confidence: Annotated[float, Field(gt=0, lt=1)]
    margin: Annotated[float, Field(gt=0, lt=1)]


class Report(Section):
    faces_of: list[str]
