"""Train one system on embeddings, all folds: `python -m stages.fuse hume_reaction viper`."""

import sys
from functools import partial
from typing import Any

from pipeline_lib.core import paths, tables, tracking
from pipeline_lib.core.schema import RATINGS, RECORDINGS
from pipeline_lib.learning import crossval, verdicts
from pipeline_lib.params import load_params


def main(dataset: str, system: str) -> None:
    from models import fusion
    from pipeline_lib.fusion import inputs, outputs, targets, training

    params = load_params()
    config = params.fusion[params.scale][system]
    layout = params.datasets[dataset].layout
    settings: dict[str, Any] = {"layout": layout, "config": config, "seed": params.seed}
    folds = verdicts.cleared_folds(dataset, verdict=dataset)
    recordings = sorted(folds["recording_id"].unique())
    tokens = inputs.read(dataset, recordings, names=config.inputs, n_tokens=config.tokens)
    index = tables.read_table(paths.index(dataset), RECORDINGS)
    names = targets.names(layout)
    labels = targets.labels(tables.read_table(paths.ratings(dataset), RATINGS), recordings, names)
    out = paths.run(dataset, system)
    with tracking.stage_run(
        "fuse", f"{dataset}-{system}", experiment=params.execution.experiment, params=settings
    ) as run:
        checkpoints = crossval.checkpoint_folder(
            out.name,
            [fusion.__name__],
            settings,
            [
                *(file for name in config.inputs for file in inputs.files(dataset, name)),
                paths.ratings(dataset),
                paths.verdict(dataset),
            ],
        )
        results = crossval.run(
            partial(fusion.train_fold, tokens, labels, **settings),
            folds,
            checkpoints=checkpoints,
            execution=params.execution,
            label=out.name,
        )
        missing = training.lacking(tokens, labels, names)
        asked = index.filter(split="test")["recording_id"].to_list()
        outputs.write(dataset, system, results, folds, missing=missing, names=names, asked=asked)
        for number, result in results.items():
            with run.fold(number) as child:
                crossval.log_curves(child, result.history)
        crossval.discard(checkpoints)


if __name__ == "__main__":
    main(*sys.argv[1:])
