"""Planted twins, taken through folds, audit, training and evaluation as any data set."""

import tempfile
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import polars as pl

from models import baselines
from pipeline_lib import evaluation
from pipeline_lib.learning import crossval
from pipeline_lib.params import Params
from pipeline_lib.studies import planted, proof
from pipeline_lib.studies.planted import Twin

Scores = dict[int, pl.DataFrame]  # fold -> recording_id, target, score

TRIALS = 4  # of each person
TWINS = {
    "kind": Twin("kind", effect=0.9),
    "no effect": Twin("kind", effect=0.0),
    "order": Twin("order", effect=0.9),
}


def prove(
    name: str, twin: Twin, *, systems: Sequence[str], n_subjects: int, params: Params
) -> list[dict[str, Any]]:
    """Draw a twin, train and score systems, of proof.SIGHTS, on it; rows of proof.found."""
    features, cues = planted.draw(twin, n_subjects=n_subjects, trials=TRIALS, seed=params.seed)
    folds, rules = proof.audited_folds(
        name, features, systems, settings=params.splits, seed=params.seed
    )
    scores = {
        proof.READER: proof.by_fold(cues, folds),
        **_trained(features, folds, systems=systems, params=params),
        **_classic(features, folds, systems=systems, params=params),
    }
    rows: list[dict[str, Any]] = []
    for system in systems:
        summary = evaluation.summarise(
            crossval.predictions(scores[system], folds, features),
            evaluation=params.evaluation,
            seed=params.seed,
            synthetic=True,
            rules=rules,
        )
        rows += proof.found(name, twin, system, summary)
    return rows


def _trained(
    features: pl.DataFrame, folds: pl.DataFrame, *, systems: Sequence[str], params: Params
) -> dict[str, Scores]:
    """Of each network its scores, trained as the stage train does."""
    from pipeline_lib.stored_features import systems as on_features

    scores = {}
    for system in [s for s in params.systems.train if s in systems]:
        train_fold = partial(
            on_features.train_fold,
            features,
            system=import_module(f"models.{system}").SYSTEM,
            config=proof.sized(getattr(params.models["tiny"], system)),
            fps=planted.FPS,
            sampling_rate=planted.SAMPLING_RATE,
            seed=params.seed,
        )
        with tempfile.TemporaryDirectory() as checkpoints:
            results = crossval.run(
                train_fold,
                folds,
                checkpoints=Path(checkpoints),
                execution=params.execution,
                label=system,
            )
        scores[system] = {number: result.scores for number, result in results.items()}
    return scores


def _classic(
    features: pl.DataFrame, folds: pl.DataFrame, *, systems: Sequence[str], params: Params
) -> dict[str, Scores]:
    """Of each classifier on hand-crafted features its scores, as from the stage baseline."""
    wanted = [system for system in params.systems.baseline if system in systems]
    if not wanted:
        return {}
    table = proof.handcrafted(features)
    labels = features.select("recording_id", "valence_label", "arousal_label")
    fitted = {
        fold["fold"][0]: baselines.fit_predict(
            table, labels, fold, systems=wanted, baselines=params.baselines, seed=params.seed
        )
        for fold in folds.partition_by("fold")
    }
    return {system: {number: of[system] for number, of in fitted.items()} for system in wanted}
