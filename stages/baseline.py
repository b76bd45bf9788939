"""Fit the simple rivals on one data set, all folds: `python -m stages.baseline deap`."""

import sys
from collections.abc import Callable
from functools import partial

import polars as pl

from models import baselines
from pipeline_lib.core import parallel, paths, tables, tracking
from pipeline_lib.core.schema import RECORDINGS
from pipeline_lib.learning import crossval, verdicts
from pipeline_lib.params import Baseline, load_params

Scores = dict[Baseline, pl.DataFrame]


def main(dataset: str) -> None:
    params = load_params()
    systems = params.systems.baseline
    folds = verdicts.cleared_folds(dataset, verdict=dataset)
    labels = tables.read_table(paths.index(dataset), RECORDINGS).select(
        "recording_id", "valence_label", "arousal_label"
    )
    features = pl.read_parquet(paths.handcraft(dataset))
    with tracking.stage_run(
        "baseline",
        dataset,
        experiment=params.execution.experiment,
        params={"baselines": params.baselines, "seed": params.seed},
    ):
        fit = partial(
            baselines.fit_predict,
            features,
            labels,
            systems=systems,
            baselines=params.baselines,
            seed=params.seed,
        )
        by_fold = dict(
            parallel.run(
                partial(_numbered, fit=fit),
                folds.partition_by("fold"),
                execution=params.execution,
                label=f"{dataset}-baselines",
            )
        )
        for system in systems:
            scores = {number: by_fold[number][system] for number in sorted(by_fold)}
            predicted = crossval.predictions(scores, folds, labels)
            tables.write_table(predicted, paths.predictions(dataset, system))
            lacking = baselines.lacking(system, features, labels)
            ledger = crossval.ledger(folds, predicted, lacking)
            tables.write_table(ledger, paths.ledger(paths.run(dataset, system)))


def _numbered(fold: pl.DataFrame, *, fit: Callable[[pl.DataFrame], Scores]) -> tuple[int, Scores]:
    """A fold's scores with its number, for folds finish in any order."""
    return fold["fold"][0], fit(fold)


if __name__ == "__main__":
    main(sys.argv[1])
