"""Classifiers on hand-crafted features, and the two published systems on them."""

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from pipeline_lib.core.sections.base import Count, NonNegative, Positive, Section

# Those with a suffix look at one modality, the others of the same kind at both.
Baseline = Literal[
    "majority",
    "stratified",
    "svm",
    "svm_physio",
    "svm_video",
    "mlp",
    "mlp_physio",
    "mlp_video",
    "mlp64",
    "mlp64_physio",
    "mlp64_video",
    "boosting",
    "boosting_physio",
    "boosting_video",
]


class SVM(Section):
    kernel: Literal["rbf", "linear", "poly", "sigmoid"]
    gamma: Literal["auto", "scale"]
    C: Positive


class MLP(Section):
    hidden: tuple[Count, ...]
    max_iterations: Count

    model_config = ConfigDict(strict=False)  # YAML has lists, not tuples


class Boosting(Section):
    iterations: Count
    learning_rate: Positive
    leaves: Annotated[int, Field(ge=2)]
    smallest_leaf: Count
    l2: NonNegative


class Baselines(Section):
    svm: SVM
    mlp: MLP
    mlp64: MLP
    boosting: Boosting


class EHCI(Section):
    crop: Literal["large", "small"]
    stride: Count
    image_size: Annotated[int, Field(ge=3)]
    cells: Count
    heart_bands: tuple[Positive, ...]
    EDA_bands: tuple[Positive, ...]
    segment_seconds: Positive
    svm: SVM
    neighbours: Count

    model_config = ConfigDict(strict=False)  # YAML has lists, not tuples

    @field_validator("heart_bands", "EDA_bands")
    @classmethod
    def _rising(cls, edges: tuple[float, ...]) -> tuple[float, ...]:
        if len(edges) < 2 or list(edges) != sorted(set(edges)):
            raise ValueError(f"edges of bands rise, and there are at least two, not {edges}")
        return edges

    @model_validator(mode="after")
    def _room_for_cells(self) -> Self:
        if self.cells > self.image_size - 2:
            raise ValueError(
                f"cells = {self.cells} a side do not fit into the {self.image_size - 2} px that "
                f"image_size = {self.image_size} px leaves without its edge"
            )
        return self


class UDLBV(Section):
    crop: Literal["large", "small"]
    stride: Count
    encoder: str | None
    image_size: Annotated[int, Field(ge=32)]
    components: Count
    lstm: bool
    hidden: Count
    epochs: Count
    patience: Count
    batch_size: Count
    learning_rate: Positive
    weight_decay: NonNegative
    elm_units: Count
    elm_ridge: Positive
