"""Train one system on embeddings, all folds: `python -m stages.fuse hume_reaction viper`."""

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from pipeline_lib.core import paths, tables, tracking
from pipeline_lib.core.schema import EMBEDDINGS, FEATURES, RATINGS
from pipeline_lib.learning import crossval, verdicts
from pipeline_lib.params import load_params

if TYPE_CHECKING:
    from pipeline_lib.fusion.tokens import Tokens


def main(dataset: str, system: str) -> None:
    from safetensors.torch import save_file

    from models import fusion
    from pipeline_lib.fusion import submission, targets, training

    params = load_params()
    config = params.fusion[params.scale][system]
    layout = params.datasets[dataset].layout
    settings: dict[str, Any] = {"layout": layout, "config": config, "seed": params.seed}
    folds = verdicts.cleared_folds(dataset, verdict=dataset)
    recordings = sorted(folds["recording_id"].unique())
    tokens = read_tokens(dataset, recordings, inputs=config.inputs, n_tokens=config.tokens)
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
                *(file for name in config.inputs for file in files_of(dataset, name)),
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
        estimates = pl.concat(result.estimates for result in results.values())
        tables.write_table(estimates, paths.estimates(dataset, system))
        missing = training.lacking(tokens, labels, names)
        used = folds.filter(~pl.col("recording_id").is_in(list(missing)))  # not all are estimated
        tables.write_table(crossval.ledger(folds, used, missing), paths.ledger(out))
        histories = {number: result.history for number, result in results.items()}
        tables.write_table(crossval.history(histories), paths.history(dataset, system))
        tables.write_table(training.selections(histories), paths.selections(dataset, system))
        if not estimates.filter(role="withheld").is_empty():
            table = submission.table(estimates, names)
            tables.write_csv(table, paths.submission(dataset, system))
        for number, result in results.items():
            for selection, weights in result.weights.items():
                file = paths.weights(out, number, selection)
                tables.atomic_write(file, partial(save_file, weights))
            with run.fold(number) as child:
                crossval.log_curves(child, result.history)
        crossval.discard(checkpoints)


def files_of(dataset: str, name: str) -> list[Path]:
    """What an input's content can be told by."""
    from pipeline_lib.fusion import tokens

    if name in tokens.FEATURES:
        return tables.shards(paths.features(dataset))
    return [paths.ledger(paths.embeddings(dataset, name))]


def read_tokens(
    dataset: str, recordings: list[str], *, inputs: list[str], n_tokens: int
) -> "Tokens":
    """The inputs of these recordings, one after the other."""
    from pipeline_lib.fusion import tokens

    arrays = {}
    for name in inputs:
        if name in tokens.FEATURES:
            features = tables.read_shards(paths.features(dataset), FEATURES)
            arrays[name] = tokens.of_features(
                features, recordings, modality=name, n_tokens=n_tokens
            )
        else:
            rows = tables.read_shards(paths.embeddings(dataset, name), EMBEDDINGS)
            arrays[name] = tokens.of_embeddings(rows, recordings, encoder=name)
    return tokens.joined(arrays, recordings, n_tokens=n_tokens)


if __name__ == "__main__":
    main(*sys.argv[1:])
