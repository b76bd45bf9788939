"""What is asked of StressID's published features: who is fitted on what, and scored on which."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Any

import polars as pl

from models import baselines
from models.baselines import kind_and_modalities
from pipeline_lib import comparison, evaluation, params, protocols
from pipeline_lib.core import parallel
from pipeline_lib.datasets.stressid.labels import TASKS
from pipeline_lib.learning import crossval, splits
from pipeline_lib.learning.splits import Rules
from pipeline_lib.params import Baseline, Flaw
from pipeline_lib.stressid_features.columns import KEPT, VIEWS, of_view

REST = ("Baseline", "Breathing", "Relax", "Video1", "Video2")
LONG = tuple(task for task in REST if task != "Baseline")  # 2 to 3 min; all others last a minute
WORK = tuple(task for task in TASKS if task not in REST)
DATASET = "stressid_features"
TRIVIAL: Baseline = "majority"
MODALITIES = ("physio", "video")
KINDS = ("svm", "boosting", "mlp64")  # of the systems that are asked more than one question


@dataclass(frozen=True)
class Question:
    """Which recordings are told apart: those `of` these tasks, label 1 for `ones`."""

    title: str
    target: str
    of: tuple[str, ...]
    ones: tuple[str, ...]


QUESTIONS: Mapping[str, Question] = {
    "task": Question("rest or task", "task", TASKS, WORK),
    "without_baseline": Question("the same without Baseline", "task", (*LONG, *WORK), WORK),
    "same_length": Question("Baseline or task: all a minute", "task", ("Baseline", *WORK), WORK),
    "length": Question("at rest: above a minute?", "long", REST, LONG),
}


@dataclass(frozen=True)
class Run:
    """One question to systems on one view of the features, by one kind of folds."""

    question: str
    view: str
    flaws: tuple[Flaw, ...]
    systems: tuple[Baseline, ...]


@dataclass(frozen=True)
class Asked:
    """A run with its recordings, labelled, and its folds, audited."""

    run: Run
    index: pl.DataFrame  # schema.SOURCES and the label
    folds: pl.DataFrame  # schema.FOLDS
    rules: Rules
    audit: Sequence[Mapping[str, Any]]  # of each fold

    @property
    def targets(self) -> tuple[str, ...]:
        return (QUESTIONS[self.run.question].target,)


def plan(systems: Sequence[Baseline]) -> list[Run]:
    """All systems on what is kept, by subject and, flawed, by trial; a few of one modality beside.

    The video has no Baseline, and nothing in it grows by its formula: the questions about length
    are for systems on physiology.
    """
    runs = []
    for view, name in product(VIEWS, QUESTIONS):
        if (view, name) == (KEPT, "task"):
            some = list(systems)
        else:
            modalities = MODALITIES if name == "task" and view != "grows" else ("physio",)
            kinds = KINDS if name == "task" else KINDS[:2]
            beside = [f"{kind}_{modality}" for modality in modalities for kind in kinds]
            some = [system for system in systems if system in beside]
        chosen = tuple(dict.fromkeys([TRIVIAL, *some]))
        runs.append(Run(name, view, (), chosen))
        if name == "task" and view in (KEPT, "all"):
            runs.append(Run(name, view, ("trial_level",), chosen))
    return runs


def ask(runs: Sequence[Run], index: pl.DataFrame, *, of: params.Splits, seed: int) -> list[Asked]:
    """Label the recordings and deal them out, then prove that nothing leaks but what was asked for.

    Raises LeakageError or ProtocolError as the audit of the DAG does.
    """
    dealt: dict[tuple[str, tuple[Flaw, ...]], Asked] = {}  # whatever features are looked at
    for run in runs:
        if (run.question, run.flaws) not in dealt:
            dealt[run.question, run.flaws] = _deal(run, index, of=of, seed=seed)
    return [replace(dealt[run.question, run.flaws], run=run) for run in runs]


def _deal(run: Run, index: pl.DataFrame, *, of: params.Splits, seed: int) -> Asked:
    question = QUESTIONS[run.question]
    label = pl.col("trial").is_in(question.ones).cast(pl.Int8)
    labelled = index.filter(pl.col("trial").is_in(question.of)).with_columns(
        label.alias(f"{question.target}_label")
    )
    # Trials are dealt out one by one in `grouped` and `repeated` only.
    protocol = of.model_copy(update={"protocol": "grouped"}) if run.flaws else of
    rules = protocols.rules(labelled, splits=protocol, flaws=run.flaws)
    folds = protocols.make_folds(labelled, splits=protocol, flaws=run.flaws, seed=seed)
    found = splits.audit_all(
        indices={DATASET: labelled},
        folds={DATASET: folds},
        rules={DATASET: rules},
        corpora={DATASET: {TRIVIAL: ()}},  # no system is pre-trained, so all see the same
    )
    return Asked(run, labelled, folds, rules, found[DATASET][TRIVIAL])


def predict(
    asked: Sequence[Asked],
    features: pl.DataFrame,
    *,
    settings: params.Baselines,
    seed: int,
    execution: params.Execution,
) -> list[dict[str, pl.DataFrame]]:
    """System -> schema.PREDICTIONS of each run, and of late fusion where both modalities are."""
    work = [(i, fold) for i, of in enumerate(asked) for fold in of.folds.partition_by("fold")]
    fit = partial(_fit, asked=asked, features=features, settings=settings, seed=seed)
    done = {key: scores for key, scores in parallel.run(
        fit, work, execution=execution, label=DATASET
    )}  # fmt: skip
    return [dict(_joined(i, of, done)) for i, of in enumerate(asked)]


def _fit(
    work: tuple[int, pl.DataFrame],
    *,
    asked: Sequence[Asked],
    features: pl.DataFrame,
    settings: params.Baselines,
    seed: int,
) -> tuple[tuple[int, int], dict[Baseline, pl.DataFrame]]:
    place, fold = work
    run, index = asked[place].run, asked[place].index
    # A system on physiology alone is not to be stopped by a view without video.
    seen = [*of_view(run.view), *(name for name in of_view(KEPT) if name.startswith("visual_"))]
    scores = baselines.fit_predict(
        features.select("recording_id", *dict.fromkeys(seen)),
        index.select("recording_id", pl.col("^.*_label$")),
        fold,
        systems=run.systems,
        baselines=settings,
        seed=seed,
    )
    return (place, fold["fold"][0]), scores


def _joined(
    place: int, of: Asked, done: Mapping[tuple[int, int], Mapping[Baseline, pl.DataFrame]]
) -> Iterator[tuple[str, pl.DataFrame]]:
    numbers = sorted(fold for i, fold in done if i == place)
    found: dict[str, pl.DataFrame] = {}
    for system in of.run.systems:
        scores = {fold: done[place, fold][system] for fold in numbers}
        found[system] = crossval.predictions(scores, of.folds, of.index)
    for kind in dict.fromkeys(kind_and_modalities(system)[0] for system in of.run.systems):
        single = [f"{kind}_{modality}" for modality in MODALITIES]
        if kind in found and set(single) <= set(found):
            found[f"{kind}_late"] = baselines.late_fusion([found[name] for name in single])
    yield from found.items()


def summarise(
    asked: Asked,
    predictions: Mapping[str, pl.DataFrame],
    *,
    settings: params.Evaluation,
    seed: int,
    synthetic: bool,
) -> dict[str, Any]:
    """What results/stressid_features.json says of a run: the scores of its systems.

    Beside each, `majority`: what the commonest class scores on the same recordings, for systems
    differ in which they can use; and `called`: the share of the recordings of each task that it
    gave label 1.
    """
    run = asked.run
    about: dict[str, Any] = {
        "evaluation": settings, "seed": seed, "synthetic": synthetic, "rules": asked.rules,
        "targets": asked.targets,
    }  # fmt: skip
    trials = asked.index.select("recording_id", "trial")
    systems = {}
    for system, predicted in predictions.items():
        same = predictions[TRIVIAL].join(predicted, on=["recording_id", "fold"], how="semi")
        called = predicted.join(trials, on="recording_id").group_by("trial").agg(
            (pl.col("score") > 0.5).mean().round(evaluation.DIGITS)
        )  # fmt: skip
        systems[system] = evaluation.summarise(predicted, **about) | {
            "majority": evaluation.summarise(same, **about)[asked.targets[0]]["folds"]["mean"],
            "called": dict(sorted(called.iter_rows())),
        }
    return {
        "question": run.question,
        "view": run.view,
        "flaws": list(run.flaws),
        "target": asked.targets[0],
        "audit": list(asked.audit),
        "systems": systems,
    }


def compare(
    asked: Asked,
    predictions: Mapping[str, pl.DataFrame],
    *,
    settings: params.Evaluation,
    seed: int,
    synthetic: bool,
) -> dict[str, Any]:
    """Which of the systems of a run differ; as results/D-comparisons.json."""
    return comparison.compare(
        predictions,
        folds=asked.folds,
        evaluation=settings,
        seed=seed,
        synthetic=synthetic,
        rules=asked.rules,
        targets=asked.targets,
    )
