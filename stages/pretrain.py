"""Pre-train VideoMAE, self-supervised, on a corpus: one model a test fold, which leaves it out."""

import sys
from functools import partial
from typing import Any

import polars as pl

from pipeline_lib import corpus, crossval, paths, tables, tracking, verdicts
from pipeline_lib.params import load_params
from pipeline_lib.schema import CROPS


def main(name: str) -> None:
    params = load_params()
    config = params.models[params.scale].videomae
    settings: dict[str, Any] = {"config": config, "seed": params.seed}
    datasets = params.corpora[name]
    wanted = pl.col("crop") == config.crop
    crops = {d: tables.read_shards(paths.crops(d), CROPS, wanted) for d in datasets}
    out = paths.pretrained(name)
    folds = {d: verdicts.cleared_folds(d, verdict=out.name) for d in datasets}
    with tracking.stage_run(
        "pretrain", name, experiment=params.execution.experiment, params=settings
    ) as run:
        checkpoints = crossval.checkpoint_folder(
            out.name,
            corpus.pretrain_fold,
            settings,
            [path for d in datasets for path in (paths.folds(d), paths.ledger(paths.crops(d)))],
        )
        epochs = crossval.run(
            partial(corpus.pretrain_fold, crops=crops, folds=folds, out=out, **settings),
            max(folds.values(), key=lambda table: table["fold"].n_unique()),
            checkpoints=checkpoints,
            execution=params.execution,
            label=out.name,
        )
        tables.write_table(crossval.history(epochs), out / "history.parquet")
        for number, passed in epochs.items():
            with run.fold(number) as child:
                crossval.log_curves(child, passed)
        crossval.discard(checkpoints)


if __name__ == "__main__":
    main(sys.argv[1])
