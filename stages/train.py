"""Train one system on one data set, all folds: `python -m stages.train deap mvp`."""

import sys
from functools import partial
from importlib import import_module
from typing import Any

from pipeline_lib.core import paths, tables, tracking
from pipeline_lib.core.schema import FEATURES
from pipeline_lib.learning import crossval, verdicts
from pipeline_lib.params import load_params


def main(dataset: str, system: str) -> None:
    from safetensors.torch import save_model

    from pipeline_lib.stored_features import systems

    params = load_params()
    of = import_module(f"models.{system}").SYSTEM
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
            [f"models.{system}"],
            settings,
            [*tables.shards(paths.features(dataset)), paths.verdict(dataset)],
        )
        results = crossval.run(
            partial(systems.train_fold, features, system=of, **settings),
            folds,
            checkpoints=checkpoints,
            execution=params.execution,
            label=out.name,
        )
        lacking = systems.lacking(features, system=of, config=config)
        crossval.write(out, results, folds, features, lacking)
        for number, result in results.items():
            save_model(result.model, str(paths.fold(out, number).with_suffix(".safetensors")))
        crossval.log_results(run, results)
        crossval.discard(checkpoints)


if __name__ == "__main__":
    main(*sys.argv[1:])
