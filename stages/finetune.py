"""Fine-tune a pre-trained VideoMAE, all folds: `python -m stages.finetune deap-videomae`."""

import sys
from functools import partial
from typing import Any, cast

from pipeline_lib.core import paths, tables, tracking
from pipeline_lib.core.schema import RECORDINGS
from pipeline_lib.learning import crossval, verdicts
from pipeline_lib.params import load_params


def main(name: str) -> None:
    from models import videomae
    from pipeline_lib.clips import Clips

    params = load_params()
    row = params.finetune[name]
    config = params.models[params.scale].videomae
    config = config.model_copy(update={"crop": row.crop or config.crop})
    taught = row.start.startswith("supervise-")  # adapts in fewer epochs (MVP 5.1)
    recipe = config.finetune_taught if taught else config.finetune
    settings: dict[str, Any] = {"recipe": recipe, "seed": params.seed}
    told = settings | {"config": config}
    start = paths.RUNS / row.start
    folds = verdicts.cleared_folds(row.dataset, verdict=name)
    labels = tables.read_table(paths.index(row.dataset), RECORDINGS)
    clips = Clips(paths.crops(row.dataset), crop=config.crop, size=config.image_size)
    out = paths.run(row.dataset, row.system)
    with tracking.stage_run(
        "finetune",
        name,
        experiment=params.execution.experiment,
        params=told | {"row": row},
    ) as run:
        checkpoints = crossval.checkpoint_folder(
            out.name,
            [videomae.__name__],
            told,
            [
                paths.verdict(name),
                paths.index(row.dataset),
                paths.ledger(paths.crops(row.dataset)),
                *sorted(start.rglob("*.safetensors")),
            ],
        )
        results = crossval.run(
            partial(videomae.finetune_fold, clips, labels, start=start, **settings),
            folds,
            checkpoints=checkpoints,
            execution=params.execution,
            label=out.name,
        )
        crossval.write(out, results, folds, labels, videomae.lacking(labels, clips))
        for number, result in results.items():
            cast(videomae.Finetuned, result.model).videomae.save_pretrained(paths.fold(out, number))
        crossval.log_results(run, results)
        crossval.discard(checkpoints)


if __name__ == "__main__":
    main(sys.argv[1])
