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


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Execution(Section):
    """How to run: no result depends on it, and no stage declares it in dvc.yaml."""

    backend: str
    jobs: Annotated[int, Field(ge=-1)]
    folds: Annotated[int, Field(ge=-1)] = 1
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


class Start(Section):
    """A fine-tuned system on a data set, and the weights that it starts from."""

    dataset: str
    system: str
    start: Annotated[str, Field(pattern="^(pretrain|supervise)-")]
    crop: Literal["large", "small"] | None = None  # None: models.*.videomae.crop


class Systems(Section):
    """The systems, by the stage that trains them."""

    baseline: list[Baseline]
    classic: list[Literal["ehci", "udlbv"]]
    train: list[str]
    finetune: list[str]
    fuse: list[str]


class OpenFace(Section):
    command: str
    options: str
    fps: Positive | None
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


class Sampling(Section):
    """Which frames and fragments of sound stand for a clip."""

    frames: Annotated[int, Field(ge=2)]
    fragmenting: Literal["paper", "code"]


class ImageEncoder(Section):
    backend: Literal["transformers", "efficientnet_lite", "mini_xception"]
    model: str
    crop: bool
    size: Count | None = None  # px; None: the model's own


class TextEncoder(Section):
    model: str
    pooling: Literal["cls", "mean"]
    config: str | None = None  # None: beside the model
    tokenizer: str | None = None


class CaptionEncoder(Section):
    chooser: str  # a CLIP | action_units
    crop: bool
    text: TextEncoder


class AudioEncoder(Section):
    backend: Literal["transformers", "resemblyzer"]
    model: str
    context: Positive | None  # s that a fragment is widened to; None: as it is


class FacialActions(Section):
    pyfeat: str | None  # folder with Py-Feat's CSVs; None: OpenFace's units


class Embeddings(Section):
    image_base_whole: ImageEncoder
    image_base: ImageEncoder
    image_face_whole: ImageEncoder
    image_face: ImageEncoder
    caption: CaptionEncoder
    audio: AudioEncoder
    fau: FacialActions


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

    max_seconds: Positive


class Cut(Trained):
    """On segments of trials."""

    segment_seconds: Positive


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


class Models(Section):
    mvp: MVP
    mvp_10s: MVPCut
    mvp_tri: MVP
    mvp_ssl: MVPSelfSupervised
    uni_au: UniAU
    uni_physio: UniPhysio
    uni_transformer: UniTransformer
    multi_transformer: MultiTransformer
    videomae: VideoMAE
    ehci: EHCI
    udlbv: UDLBV


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


class Evaluation(Section):
    bootstrap: Count
    permutations: Count
    confidence: Annotated[float, Field(gt=0, lt=1)]
    margin: Annotated[float, Field(gt=0, lt=1)]


class Report(Section):
    faces_of: list[str]


class Params(Section):
    scale: Literal["tiny", "paper"]
    seed: int
    max_failed: Share
    execution: Execution
    assets: dict[str, Asset]
    twins: dict[str, Twin]
    datasets: dict[str, Dataset]
    published: dict[Annotated[str, Field(pattern="^stressid_features$")], Published]
    trained_on: list[str]
    fused_on: list[str]
    split_on: list[str]
    systems: Systems
    openface: OpenFace
    sync: Sync
    crop: Crop
    physio: Physio
    store: Store
    embedded: list[str]
    sampling: Sampling
    embeddings: dict[Literal["tiny", "paper"], Embeddings]
    splits: Splits
    flaws: list[Flaw]
    corpora: dict[str, Annotated[list[str], Field(min_length=1)]]
    pretrain: list[str]
    supervise: dict[str, str]
    finetune: dict[str, Start]
    baselines: Baselines
    models: dict[Literal["tiny", "paper"], Models]
    fusion: dict[Literal["tiny", "paper"], dict[str, FusionSystem]]
    evaluation: Evaluation
    report: Report

    @model_validator(mode="after")
    def _flaws_fit(self) -> Self:
        if "trial_level" in self.flaws and self.splits.protocol not in ("grouped", "repeated"):
            raise ValueError(
                "flaws names trial_level, which deals out recordings one by one; splits.protocol "
                f"= {self.splits.protocol} deals out whole subjects: take grouped or repeated"
            )
        return self

    @model_validator(mode="after")
    def known_datasets(self) -> Self:
        named = {
            "trained_on": self.trained_on,
            "fused_on": self.fused_on,
            "split_on": self.split_on,
            "report.faces_of": self.report.faces_of,
            "embedded": self.embedded,
            **{f"corpora.{k}": v for k, v in self.corpora.items()},
        }
        for key, names in named.items():
            unknown = sorted(set(names) - set(self.datasets))
            if unknown:
                raise ValueError(f"{key} names {unknown}, not among datasets {list(self.datasets)}")
        return self

    @model_validator(mode="after")
    def folds_for_all(self) -> Self:
        wanted = sorted({*self.trained_on, *self.fused_on})
        if sorted(self.split_on) != wanted:
            raise ValueError(
                f"split_on is {self.split_on}; trained_on and fused_on need folds of {wanted}"
            )
        return self

    @model_validator(mode="after")
    def known_fusion(self) -> Self:
        for scale, systems in self.fusion.items():
            if unknown := sorted(set(self.systems.fuse) - set(systems)):
                raise ValueError(f"systems.fuse names {unknown}, which fusion.{scale} has not")
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
