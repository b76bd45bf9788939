"""Fit a classic system on hand-crafted features and crops: `python -m stages.classic deap ehci`."""

import sys
from importlib import import_module

import polars as pl

import pipeline_lib.core.privacy  # noqa: F401  before the libraries that read what it sets
from pipeline_lib.core import paths, tables, tracking
from pipeline_lib.core.schema import CROPS, PHYSIO, RECORDINGS
from pipeline_lib.learning import crossval, verdicts
from pipeline_lib.params import load_params


def main(dataset: str, system: str) -> None:
    params = load_params()
    module = import_module(f"models.{system}")
    config = getattr(params.models[params.scale], system)
    folds = verdicts.cleared_folds(dataset, verdict=dataset)
    labels = tables.read_table(paths.index(dataset), RECORDINGS).select(
        "recording_id", "valence_label", "arousal_label"
    )
    wanted = (pl.col("crop") == config.crop) & (pl.col("position") % config.stride == 0)
    with tracking.stage_run(
        "classic",
        f"{dataset}-{system}",
        experiment=params.execution.experiment,
        params={"config": config, "seed": params.seed},
    ):
        prepared = module.prepare(
            tables.read_shards(paths.crops(dataset), CROPS, wanted),
            tables.read_shards(paths.physio(dataset), PHYSIO),
            pl.read_parquet(paths.handcraft(dataset)),
            config=config,
            seed=params.seed,
        )
        scores = {
            rows["fold"][0]: module.fit_predict(
                prepared, labels, rows, config=config, seed=params.seed
            )
            for rows in folds.sort("fold").partition_by("fold", maintain_order=True)
        }
        predicted = crossval.predictions(scores, folds, labels)
        ledger = crossval.ledger(folds, predicted, module.lacking(prepared, labels))
        tables.write_table(predicted, paths.predictions(dataset, system))
        tables.write_table(ledger, paths.ledger(paths.run(dataset, system)))


if __name__ == "__main__":
    main(*sys.argv[1:])
