"""Train a pre-trained VideoMAE on the labels of a corpus: `python -m stages.supervise kad`."""

import sys
from functools import partial
from typing import Any

from pipeline_lib import corpus
from pipeline_lib.core import paths, tables, tracking
from pipeline_lib.core.schema import RECORDINGS
from pipeline_lib.learning import crossval, verdicts
from pipeline_lib.params import load_params


def main(name: str) -> None:
    from pipeline_lib.clips import Clips

    params = load_params()
    config = params.models[params.scale].videomae
    settings: dict[str, Any] = {"config": config, "seed": params.seed}
    folds, crops = verdicts.cleared_corpus(name, params.corpora[name])
    size = config.image_size
    clips = {d: Clips(folder, crop=config.crop, size=size) for d, folder in crops.items()}
    start, out = paths.pretrained(params.supervise[name]), paths.supervised(name)
    indices = {d: tables.read_table(paths.index(d), RECORDINGS) for d in params.corpora[name]}
    with tracking.stage_run(
        "supervise",
        name,
        experiment=params.execution.experiment,
        params=settings | {"start": start.name},
    ) as run:
        checkpoints = crossval.checkpoint_folder(
            out.name,
            [corpus.__name__],
            settings,
            [
                paths.verdict(f"corpus-{name}"),
                *(paths.index(d) for d in params.corpora[name]),
                *sorted(start.rglob("*.safetensors")),
            ],
        )
        epochs = crossval.side_by_side(
            partial(
                corpus.supervise_fold,
                clips=clips,
                indices=indices,
                folds=folds,
                start=start,
                out=out,
                **settings,
            ),
            corpus.fold_numbers(folds, leaky=verdicts.is_leaky(name), start=start),
            checkpoints=checkpoints,
            execution=params.execution,
            label=out.name,
        )
        crossval.write_history(out, epochs, run)
        crossval.discard(checkpoints)


if __name__ == "__main__":
    main(sys.argv[1])
