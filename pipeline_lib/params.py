"""The only reader of params.yaml: one frozen model a section, unknown keys are errors.

The sections are in core/sections/, by topic, and are to be had from here.

Units and sources of the numbers stand in params.yaml, beside the values; here are the limits.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    Field,
    ValidationError,
    model_validator,
)

from pipeline_lib.core import files
from pipeline_lib.core.sections.base import (
    Count as Count,
    NonNegative as NonNegative,
    Positive as Positive,
    Section as Section,
    Share as Share,
)
from pipeline_lib.core.sections.classic import (
    EHCI as EHCI,
    MLP as MLP,
    SVM as SVM,
    UDLBV as UDLBV,
    Baseline as Baseline,
    Baselines as Baselines,
    Boosting as Boosting,
)
from pipeline_lib.core.sections.data import (
    PARTS as PARTS,
    Asset as Asset,
    Dataset as Dataset,
    EDAUnit as EDAUnit,
    Published as Published,
    Twin as Twin,
)
from pipeline_lib.core.sections.embeddings import (
    AudioEncoder as AudioEncoder,
    CaptionEncoder as CaptionEncoder,
    Embeddings as Embeddings,
    FacialActions as FacialActions,
    ImageEncoder as ImageEncoder,
    Sampling as Sampling,
    TextEncoder as TextEncoder,
)
from pipeline_lib.core.sections.evaluation import (
    Evaluation as Evaluation,
    Flaw as Flaw,
    Report as Report,
    Splits as Splits,
)
from pipeline_lib.core.sections.fusion import (
    BBFN as BBFN,
    LSTM as LSTM,
    TBJE as TBJE,
    Early as Early,
    Fusion as Fusion,
    FusionSystem as FusionSystem,
    LowRank as LowRank,
    MulT as MulT,
    Several as Several,
    ViPER as ViPER,
)
from pipeline_lib.core.sections.recordings import (
    Band as Band,
    Crop as Crop,
    OpenFace as OpenFace,
    Physio as Physio,
    Store as Store,
    Sync as Sync,
)
from pipeline_lib.core.sections.stored import (
    MVP as MVP,
    Attention as Attention,
    CrossModal as CrossModal,
    Cut as Cut,
    MultiTransformer as MultiTransformer,
    MVPCut as MVPCut,
    MVPSelfSupervised as MVPSelfSupervised,
    SeesPhysio as SeesPhysio,
    SeesVideo as SeesVideo,
    SelfSupervised as SelfSupervised,
    Trained as Trained,
    UniAU as UniAU,
    UniPhysio as UniPhysio,
    UniTransformer as UniTransformer,
    Whole as Whole,
)
from pipeline_lib.core.sections.videomae import (
    Finetune as Finetune,
    Pretrain as Pretrain,
    Start as Start,
    Supervise as Supervise,
    VideoMAE as VideoMAE,
)


class ParamsError(ValueError):
    """params.yaml holds an unknown key or a value outside its limits."""


class Execution(Section):
    """How to run: no result depends on it, and no stage declares it in dvc.yaml."""

    backend: str
    jobs: Annotated[int, Field(ge=-1)]
    folds: Annotated[int, Field(ge=-1)] = 1
    experiment: str


class Systems(Section):
    """The systems, by the stage that trains them."""

    baseline: list[Baseline]
    classic: list[Literal["ehci", "udlbv"]]
    train: list[str]
    finetune: list[str]
    fuse: list[str]


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
    synthetic_corpora: Literal["refuse", "allow"]
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
        inputs = {*Embeddings.model_fields, "visual", "physio"}
        for scale, systems in self.fusion.items():
            if unknown := sorted(set(self.systems.fuse) - set(systems)):
                raise ValueError(f"systems.fuse names {unknown}, which fusion.{scale} has not")
            for name, system in systems.items():
                if unknown := sorted(set(system.inputs) - inputs):
                    raise ValueError(
                        f"fusion.{scale}.{name}.inputs names {unknown}, not among {sorted(inputs)}"
                    )
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

    @model_validator(mode="after")
    def foreign_weights_know_no_test_subjects(self) -> Self:
        for scale, models in self.models.items():
            name = models.videomae.pretrained_on
            key = f"models.{scale}.videomae.pretrained_on = {name}"
            if name is not None and name not in self.pretrain:
                raise ValueError(f"{key} is not among pretrain {self.pretrain}")
            if name is not None and (split := sorted({*self.corpora[name]} & {*self.split_on})):
                raise ValueError(
                    f"{key} holds {split}, whose test subjects such weights would have "
                    f"seen; name a corpus without {self.split_on}, or null to train on top of them"
                )
        return self


SAID = ("missing", "extra_forbidden")  # errors that say all there is to say


def load_params(path: Path = Path("params.yaml")) -> Params:
    """Read and check params.yaml; raise ParamsError that names each wrong key, value and limit."""
    try:
        return Params.model_validate(files.parse_yaml(path.read_text()))
    except ValidationError as error:
        lines = [
            f"{'.'.join(map(str, item['loc'])) or '(whole file)'}: {item['msg']}"
            + ("" if not item["loc"] or item["type"] in SAID else f", got {item['input']!r}")
            for item in error.errors()
        ]
        raise ParamsError(f"{path}:\n  " + "\n  ".join(lines)) from None
