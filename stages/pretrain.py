"""Pre-train VideoMAE, self-supervised, on a corpus: `python -m stages.pretrain kad`."""

import sys
from functools import partial
from typing import Any

from pipeline_lib import corpus
from pipeline_lib.core import paths, tracking
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
    out = paths.pretrained(name)
    with tracking.stage_run(
        "pretrain", name, experiment=params.execution.experiment, params=settings
    ) as run:
        checkpoints = crossval.checkpoint_folder(
            out.name,
            [corpus.__name__],
            settings,
            [paths.verdict(f"corpus-{name}")],
        )
        work = partial(
            corpus.pretrain_fold,
            clips=clips,
            folds=folds,
            done=config.pretrained_on == name,
            out=out,
            **settings,
        )
        epochs = crossval.side_by_side(
            work,
            corpus.fold_numbers(folds, leaky=verdicts.is_leaky(name)),
            checkpoints=checkpoints,
            execution=params.execution,
            label=out.name,
        )
        crossval.write_history(out, epochs, run)
        crossval.discard(checkpoints)


if __name__ == "__main__":
    main(sys.argv[1])
