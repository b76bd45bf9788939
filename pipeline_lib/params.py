"""The only reader of params.yaml: one frozen model a section, unknown keys are errors.

Units and sources of the numbers stand in params.yaml, beside the values; here are the limits.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


class ParamsError(ValueError):
    """params.yaml holds an unknown key or a value outside its limits."""


# Beside adapter.py in pipeline_lib/datasets/LAYOUT/: modules for what else the owners give.
PARTS = {"amigos": ("long",), "deap": ("original",)}

EDAUnit = Literal["uS", "nS", "Ohm", "relative_Ohm"]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Execution(Section):
    """How to run: no result depends on it, and no stage declares it in dvc.yaml."""

    backend: str
    jobs: Annotated[int, Field(ge=-1)]
    experiment: str


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
    seconds: Annotated[float, Field(ge=5)]
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


class Start(Section):
    """A fine-tuned system on a data set, and the weights that it starts from."""

    dataset: str
    system: str
    start: Annotated[str, Field(pattern="^(pretrain|supervise)-")]


class Systems(Section):
    """The systems, by the stage that trains them."""

    baseline: list[Literal["majority", "stratified", "svm", "mlp"]]
    train: list[str]
    finetune: list[str]


class OpenFace(Section):
    command: str
    options: str
    fps: Positive | None
    batch: Count
    timeout: Positive
    min_success: Share


class Sync(Section):
    estimate: bool
    apply: bool
    max_offset: Positive
    min_confidence: Share

    @model_validator(mode="after")
    def _estimated(self) -> Self:
        if self.apply and not self.estimate:
            raise ValueError(
                "sync.apply needs sync.estimate: true, for without it no offset is known"
            )
        return self


class Crop(Section):
    clip_seconds: Positive
    clip_frames: Annotated[int, Field(ge=2)]
    large: NonNegative
    small: NonNegative
    smoothing: NonNegative
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
    sampling_rate: Positive
    mains: Literal["notch", "moving_average", "none"]
    mains_frequency: Positive
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
    fps: Positive
    visual: Literal["stressid42", "paper42"]


class Splits(Section):
    folds: Annotated[int, Field(ge=2)]
    validation: Annotated[float, Field(gt=0, lt=1)]


class SVM(Section):
    kernel: Literal["rbf", "linear", "poly", "sigmoid"]
    gamma: Literal["auto", "scale"]
    C: Positive


class MLP(Section):
    hidden: tuple[Count, ...]
    max_iterations: Count

    model_config = ConfigDict(strict=False)  # YAML has lists, not tuples


class Baselines(Section):
    svm: SVM
    mlp: MLP


class MVP(Section):
    max_seconds: Positive
    visual_channels: tuple[Count, ...]
    physio_channels: tuple[Count, ...]
    visual_kernels: tuple[Count, ...]
    physio_kernels: tuple[Count, ...]
    tokens: Count
    dim: Count
    heads: Count
    depth: Count
    dropout: Share
    mask_padding: bool
    readout: Literal["mean", "cls", "last"]
    epochs: Count
    patience: Count
    batch_size: Count
    learning_rate: Positive
    weight_decay: NonNegative

    model_config = ConfigDict(strict=False)  # YAML has lists, not tuples

    @model_validator(mode="after")
    def consistent(self) -> Self:
        for name in ("visual", "physio"):
            channels, kernels = getattr(self, f"{name}_channels"), getattr(self, f"{name}_kernels")
            if len(channels) != len(kernels):
                raise ValueError(f"{name}_channels and {name}_kernels differ in length")
            if channels[-1] != self.dim:
                raise ValueError(f"the last of {name}_channels = {channels[-1]}, not {self.dim}")
        if self.dim % self.heads:
            raise ValueError(f"dim = {self.dim} is not a multiple of heads = {self.heads}")
        return self


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
    def whole_patches(self) -> Self:
        if self.image_size % self.patch_size:
            raise ValueError(f"image_size = {self.image_size} px is not whole patches of "
                             f"patch_size = {self.patch_size} px")  # fmt: skip
        return self


class Models(Section):
    mvp: MVP
    videomae: VideoMAE


class Evaluation(Section):
    bootstrap: Count
    confidence: Annotated[float, Field(gt=0, lt=1)]


class Params(Section):
    scale: Literal["tiny", "paper"]
    seed: int
    max_failed: Share
    execution: Execution
    assets: dict[str, Asset]
    twins: dict[str, Twin]
    datasets: dict[str, Dataset]
    trained_on: list[str]
    systems: Systems
    openface: OpenFace
    sync: Sync
    crop: Crop
    physio: Physio
    store: Store
    splits: Splits
    corpora: dict[str, Annotated[list[str], Field(min_length=1)]]
    pretrain: list[str]
    supervise: dict[str, str]
    finetune: dict[str, Start]
    baselines: Baselines
    models: dict[Literal["tiny", "paper"], Models]
    evaluation: Evaluation

    @model_validator(mode="after")
    def known_datasets(self) -> Self:
        named = {
            "trained_on": self.trained_on,
            **{f"corpora.{k}": v for k, v in self.corpora.items()},
        }
        for key, names in named.items():
            unknown = sorted(set(names) - set(self.datasets))
            if unknown:
                raise ValueError(f"{key} names {unknown}, not among datasets {list(self.datasets)}")
        return self

    @model_validator(mode="after")
    def known_starts(self) -> Self:
        for key, corpora in (("pretrain", self.pretrain), ("supervise", self.supervise)):
            if unknown := sorted(set(corpora) - set(self.corpora)):
                raise ValueError(f"{key} names {unknown}, not among corpora {list(self.corpora)}")
        if unknown := sorted(set(self.supervise.values()) - set(self.pretrain)):
            raise ValueError(f"supervise starts from {unknown}, not among pretrain {self.pretrain}")
        made = {f"pretrain-{c}" for c in self.pretrain} | {f"supervise-{c}" for c in self.supervise}
        for key, row in self.finetune.items():
            if row.start not in made:
                raise ValueError(f"finetune.{key}.start is {row.start}, not among {sorted(made)}")
            if key != f"{row.dataset}-{row.system}":
                raise ValueError(f"finetune.{key} is of {row.dataset}-{row.system}; rename it")
        wanted = {f"{d}-{s}" for d in self.trained_on for s in self.systems.finetune}
        if wanted != set(self.finetune):
            raise ValueError(
                f"finetune has {sorted(self.finetune)}, but trained_on and systems.finetune ask "
                f"for {sorted(wanted)}"
            )
        return self


def load_params(path: Path = Path("params.yaml")) -> Params:
    """Read and check params.yaml; raise ParamsError that names each wrong key, value and limit."""
    import yaml

    try:
        return Params.model_validate(yaml.safe_load(path.read_text()))
    except ValidationError as error:
        lines = [
            f"{'.'.join(map(str, item['loc'])) or '(whole file)'}: {item['msg']}"
            + ("" if item["type"] in ("missing", "extra_forbidden") else f", got {item['input']!r}")
            for item in error.errors()
        ]
        raise ParamsError(f"{path}:\n  " + "\n  ".join(lines)) from None
