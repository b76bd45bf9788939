"""Fine-tune a pre-trained model, all folds: `python -m stages.finetune deap videomae`."""

import sys
from functools import partial
from importlib import import_module
from typing import Any

import polars as pl

from pipeline_lib import crossval, paths, tables, tracking, verdicts
from pipeline_lib.params import load_params
from pipeline_lib.schema import CROPS, RECORDINGS


def main(dataset: str, system: str) -> None:
    params = load_params()
    module = import_module(f"models.{system}")
    config = getattr(params.models[params.scale], system)
    settings: dict[str, Any] = {"config": config, "seed": params.seed}
    start = paths.pretrained(params.pretraining)
    folds = verdicts.cleared_folds(dataset, verdict=start.name)
    labels = tables.read_table(paths.index(dataset), RECORDINGS)
    crops = tables.read_shards(paths.crops(dataset), CROPS, pl.col("crop") == config.crop)
    out = paths.run(dataset, system)
    with tracking.stage_run(
        "finetune",
        f"{dataset}-{system}",
        experiment=params.execution.experiment,
        params=settings | {"pretraining": params.pretraining},
    ) as run:
        checkpoints = crossval.checkpoint_folder(
            out.name,
            module.finetune_fold,
            settings,
            [
                paths.folds(dataset),
                paths.index(dataset),
                paths.ledger(paths.crops(dataset)),
                *sorted(start.rglob("*.safetensors")),
            ],
        )
        results = crossval.run(
            partial(module.finetune_fold, crops, labels, start=start, **settings),
            folds,
            checkpoints=checkpoints,
            execution=params.execution,
            label=out.name,
        )
        crossval.write(out, results, folds, labels, module.lacking(labels, crops))
        for number, result in results.items():
            result.model.videomae.save_pretrained(paths.fold(out, number))
        crossval.log_results(run, results)
        crossval.discard(checkpoints)


if __name__ == "__main__":
    main(*sys.argv[1:])
