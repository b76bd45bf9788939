"""Twins without effect, taken through folds, audit and training, honestly or with one flaw."""

import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from pipeline_lib import corpus, protocols
from pipeline_lib.learning import crossval, splits
from pipeline_lib.params import Flaw, Params
from pipeline_lib.studies import null_twin
from pipeline_lib.studies.null_twin import NullTwin
from pipeline_lib.studies.planted import FPS, SAMPLING_RATE, SECONDS

Scores = dict[int, pl.DataFrame]  # fold -> recording_id, target, score


class Case(NamedTuple):
    """A flaw, a system that it touches, and how many twins of how many people tell."""

    flaw: Flaw
    system: str
    twins: int
    subjects: int
    trials: int
    own_answer: float = null_twin.OWN_ANSWER


CASES = (
    Case("trial_level", "svm_video", 2, 200, 6),
    Case("trial_level", "uni_au", 3, 60, 6),
    Case("overlapping_windows", "mvp_10s", 2, 40, 4),
    # Few recordings: an epoch can be chosen to fit them. If so few people differed in what they
    # answer, those fitted on would mostly say the opposite of the others: below chance.
    Case("epoch_on_test", "uni_au", 40, 10, 4, own_answer=0.5),
    Case("global_normalisation", "svm_video", 2, 200, 6),
    Case("global_normalisation", "uni_au", 3, 60, 6),
    Case("leaky_pretraining", "videomae", 3, 20, 4),
)
# Networks smaller still than params.models.tiny: for 32 frames of 42 features.
SMALL = {
    "max_seconds": SECONDS,
    "segment_seconds": 3.0,
    "visual_channels": (8, 16),
    "visual_kernels": (5, 3),
    "physio_channels": (8, 16),
    "physio_kernels": (9, 5),
    "tokens": 6,
    "dim": 16,
    "heads": 2,
    "depth": 1,
    "epochs": 15,
    "patience": 15,
    "batch_size": 16,
    "learning_rate": 5e-3,
}
VIDEOMAE = {"image_size": null_twin.SIZE, "dim": 32, "tubelet": 2, "decoder_dim": 16}
RECIPES: dict[str, dict[str, float]] = {
    "pretrain": {"epochs": 2},
    "supervise": {"epochs": 20},
    "finetune_taught": {"epochs": 3, "patience": 3},
}
TWIN = "twin"


class Run(NamedTuple):
    """One twin, evaluated in one way."""

    system: str
    subjects: int
    trials: int
    own_answer: float
    seed: int
    flaw: Flaw | None


def predict(run: Run, *, params: Params) -> tuple[Run, pl.DataFrame]:
    """Out-of-fold predictions (schema.PREDICTIONS) of a twin, on folds that passed the audit."""
    twin = null_twin.draw(
        n_subjects=run.subjects, trials=run.trials, own_answer=run.own_answer, seed=run.seed
    )
    asked = params.splits.model_copy(update={"protocol": "grouped"})
    flaws = [run.flaw] if run.flaw else []
    honest = protocols.make_folds(twin.index, splits=asked, flaws=flaws, seed=run.seed)
    splits.audit_all(
        indices={TWIN: twin.index},
        folds={TWIN: honest},
        rules={TWIN: protocols.rules(twin.index, splits=asked, flaws=flaws)},
        corpora={TWIN: {run.system: [TWIN] if run.system == "videomae" else []}},
    )
    folds = splits.with_flaws(honest, flaws)
    if run.system == "videomae":
        scores = of_clips(twin, folds, params=params, seed=run.seed, leaky=splits.LEAKY in flaws)
    elif run.system in params.systems.train:
        scores = of_features(run.system, twin, folds, params=params, seed=run.seed)
    else:
        scores = of_tables(run.system, twin, folds, params=params, seed=run.seed)
    return run, crossval.predictions(scores, folds, twin.index)


def of_tables(
    system: Any, twin: NullTwin, folds: pl.DataFrame, *, params: Params, seed: int
) -> Scores:
    from models import baselines

    labels = twin.index.select("recording_id", "valence_label", "arousal_label")
    settings: dict[str, Any] = {"systems": [system], "baselines": params.baselines, "seed": seed}
    return {
        fold["fold"][0]: baselines.fit_predict(twin.handcraft, labels, fold, **settings)[system]
        for fold in folds.partition_by("fold")
    }


def of_features(
    system: str, twin: NullTwin, folds: pl.DataFrame, *, params: Params, seed: int
) -> Scores:
    from pipeline_lib.stored_features import systems

    section = getattr(params.models["tiny"], system)
    config = section.model_copy(update={k: v for k, v in SMALL.items() if hasattr(section, k)})
    settings: dict[str, Any] = {
        "system": import_module(f"models.{system}").SYSTEM,
        "config": config,
        "fps": FPS,
        "sampling_rate": SAMPLING_RATE,
        "seed": seed,
    }
    return {
        fold["fold"][0]: systems.train_fold(twin.features, fold, checkpoint=None, **settings).scores
        for fold in folds.partition_by("fold")
    }


def of_clips(
    twin: NullTwin, folds: pl.DataFrame, *, params: Params, seed: int, leaky: bool
) -> Scores:
    """Pre-train, self-supervised and supervised, on the twin itself; then fine-tune."""
    from models import videomae
    from pipeline_lib.clips import Clips

    section = params.models["tiny"].videomae
    recipes = {k: getattr(section, k).model_copy(update=v) for k, v in RECIPES.items()}
    config = section.model_copy(update={**VIDEOMAE, **recipes})
    clips = Clips(null_twin.clips(twin, seed=seed), crop=config.crop, size=config.image_size)
    common: dict[str, Any] = {
        "clips": {TWIN: clips},
        "folds": {TWIN: folds},
        "config": config,
        "seed": seed,
    }
    with tempfile.TemporaryDirectory() as folder:
        first, second = Path(folder, "pretrain"), Path(folder, "supervise")
        for number in corpus.fold_numbers({TWIN: folds}, leaky=leaky):
            saved = Path(folder, "checkpoint", str(number))
            corpus.pretrain_fold(number, checkpoint=saved.with_suffix(".1"), out=first, **common)
            corpus.supervise_fold(number, checkpoint=saved.with_suffix(".2"), out=second,
                                  start=first, indices={TWIN: twin.index}, **common)  # fmt: skip
        settings: dict[str, Any] = {
            "recipe": config.finetune_taught,
            "start": second,
            "seed": seed,
        }
        return {
            fold["fold"][0]: videomae.finetune_fold(
                clips, twin.index, fold, checkpoint=None, **settings
            ).scores
            for fold in folds.partition_by("fold")
        }
