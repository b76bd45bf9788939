"""Fit the simple rivals on one data set, all folds: `python -m stages.baseline deap`."""

import sys

import polars as pl

from models import baselines
from pipeline_lib import crossval, paths, tables, tracking, verdicts
from pipeline_lib.params import load_params
from pipeline_lib.schema import RECORDINGS


def main(dataset: str) -> None:
    params = load_params()
    folds = verdicts.cleared_folds(dataset, verdict=dataset)
    labels = tables.read_table(paths.index(dataset), RECORDINGS).select(
        "recording_id", "valence_label", "arousal_label"
    )
    # As the systems that fuse: with recordings that have both video and physiology.
    of_all = pl.read_parquet(paths.handcraft(dataset))
    has_both = pl.col("has_video") & pl.col("has_physio")
    features = of_all.filter(has_both).drop("has_video", "has_physio")
    lacking = dict.fromkeys(
        of_all.filter(~has_both)["recording_id"], "not both of video and physiology"
    )
    with tracking.stage_run(
        "baseline",
        dataset,
        experiment=params.execution.experiment,
        params={"baselines": params.baselines, "seed": params.seed},
    ):
        for system in params.systems.baseline:
            scores = {
                fold: baselines.fit_predict(
                    system,
                    features,
                    labels,
                    folds.filter(pl.col("fold") == fold),
                    baselines=params.baselines,
                    seed=params.seed,
                )
                for fold in sorted(folds["fold"].unique())
            }
            predicted = crossval.predictions(scores, folds, labels)
            tables.write_table(predicted, paths.predictions(dataset, system))
            ledger = crossval.ledger(folds, predicted, lacking)
            tables.write_table(ledger, paths.ledger(paths.run(dataset, system)))


if __name__ == "__main__":
    main(sys.argv[1])
