"""Train one system on one data set, all folds: `python -m stages.train deap mvp`."""

import sys
from functools import partial
from importlib import import_module
from typing import Any

from pipeline_lib import crossval, paths, tables, tracking, verdicts
from pipeline_lib.params import load_params
from pipeline_lib.schema import FEATURES


def main(dataset: str, system: str) -> None:
    from safetensors.torch import save_model

    params = load_params()
    module = import_module(f"models.{system}")
    config = getattr(params.models[params.scale], system)
    settings: dict[str, Any] = {
        "config": config,
        "fps": params.store.fps,
        "sampling_rate": params.physio.sampling_rate,
        "seed": params.seed,
    }
    folds = verdicts.cleared_folds(dataset, verdict=dataset)
    features = tables.read_shards(paths.features(dataset), FEATURES)
    out = paths.run(dataset, system)
    with tracking.stage_run(
        "train", f"{dataset}-{system}", experiment=params.execution.experiment, params=settings
    ) as run:
        checkpoints = crossval.checkpoint_folder(
            out.name,
            module.train_fold,
            settings,
            [*tables.shards(paths.features(dataset)), paths.verdict(dataset)],
        )
        results = crossval.run(
            partial(module.train_fold, features, **settings),
            folds,
            checkpoints=checkpoints,
            execution=params.execution,
            label=out.name,
        )
        crossval.write(out, results, folds, features, module.lacking(features, config))
        for number, result in results.items():
            save_model(result.model, str(paths.fold(out, number).with_suffix(".safetensors")))
        crossval.log_results(run, results)
        crossval.discard(checkpoints)


if __name__ == "__main__":
    main(*sys.argv[1:])
