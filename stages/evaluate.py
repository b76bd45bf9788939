"""Score every system on one data set, out of fold, and compare every two of them."""

import sys
from typing import Any

from pipeline_lib import comparison, evaluation
from pipeline_lib.core import paths, tables, tracking
from pipeline_lib.core.schema import PREDICTIONS
from pipeline_lib.learning import splits, verdicts
from pipeline_lib.params import load_params


def main(dataset: str) -> None:
    params = load_params()
    systems = params.systems
    settings: dict[str, Any] = {
        "evaluation": params.evaluation,
        "seed": params.seed,
    }
    with tracking.stage_run(
        "evaluate",
        dataset,
        experiment=params.execution.experiment,
        params={"evaluation": params.evaluation, "seed": params.seed},
    ) as run:
        predictions = {
            system: tables.read_table(paths.predictions(dataset, system), PREDICTIONS)
            for system in (
                *systems.baseline,
                *systems.classic,
                *systems.finetune,
                *systems.train,
            )
        }
        verdict = {s: f"{dataset}-{s}" if s in systems.finetune else dataset for s in predictions}
        rules = {s: verdicts.followed_rules(dataset, verdict=verdict[s]) for s in predictions}
        synthetic = {s: bool(verdicts.synthetic(verdict[s])) for s in predictions}
        for system, predicted in predictions.items():
            summary = evaluation.summarise(
                predicted, rules=rules[system], synthetic=synthetic[system], **settings
            )
            tables.write_json(summary, paths.result(dataset, system))
            for target, confusion in evaluation.confusions(predicted).items():
                tables.write_csv(confusion, paths.confusion(dataset, system, target))
            run.results(evaluation.flat(summary, f"{dataset}.{system}"))
        folds = verdicts.cleared_folds(dataset, verdict=dataset)
        compared = comparison.compare(
            predictions,
            folds=folds,
            rules=splits.together(rules.values()),
            synthetic=any(synthetic.values()),
            **settings,
        )
        tables.write_json(compared, paths.comparisons(dataset))


if __name__ == "__main__":
    main(sys.argv[1])
