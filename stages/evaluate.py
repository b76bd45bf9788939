"""Score every system on one data set, out of fold: results/DATASET-SYSTEM.json."""

import sys

from pipeline_lib import evaluation, paths, tables, tracking
from pipeline_lib.params import load_params
from pipeline_lib.schema import PREDICTIONS, RECORDINGS


def main(dataset: str) -> None:
    params = load_params()
    index = tables.read_table(paths.index(dataset), RECORDINGS)
    systems = params.systems
    with tracking.stage_run(
        "evaluate",
        dataset,
        experiment=params.execution.experiment,
        params={"evaluation": params.evaluation, "seed": params.seed},
    ) as run:
        for system in (*systems.baseline, *systems.finetune, *systems.train):
            predictions = tables.read_table(paths.predictions(dataset, system), PREDICTIONS)
            summary = evaluation.summarise(
                predictions,
                evaluation=params.evaluation,
                seed=params.seed,
                synthetic=bool(index["synthetic"].any()),
            )
            tables.write_json(summary, paths.result(dataset, system))
            for target, confusion in evaluation.confusions(predictions).items():
                tables.write_csv(confusion, paths.confusion(dataset, system, target))
            run.results(evaluation.flat(summary, f"{dataset}.{system}"))


if __name__ == "__main__":
    main(sys.argv[1])
