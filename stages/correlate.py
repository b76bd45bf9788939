"""Score every system that estimates intensities on one data set, and test it against the full."""

import sys
from typing import Any

from pipeline_lib.core import paths, tables, tracking
from pipeline_lib.core.schema import ESTIMATES, RECORDINGS
from pipeline_lib.correlation import comparison, deciles, partition, results
from pipeline_lib.learning import verdicts
from pipeline_lib.params import load_params


def main(dataset: str) -> None:
    params = load_params()
    index = tables.read_table(paths.index(dataset), RECORDINGS)
    settings: dict[str, Any] = {
        "evaluation": params.evaluation,
        "seed": params.seed,
        "synthetic": bool(index["synthetic"].any()),
        "rules": verdicts.followed_rules(dataset, verdict=dataset),
    }
    with tracking.stage_run(
        "correlate",
        dataset,
        experiment=params.execution.experiment,
        params={"evaluation": params.evaluation, "seed": params.seed},
    ) as run:
        estimates = {
            system: tables.read_table(paths.estimates(dataset, system), ESTIMATES)
            for system in params.systems.fuse
        }
        for system, table in estimates.items():
            summary = results.summarise(table, system=system, **settings)
            tables.write_json(summary, paths.result(dataset, system))
            run.results(results.flat(summary, f"{dataset}.{system}"))
        compared = comparison.compare(estimates, **settings)
        tables.write_json(compared, paths.correlations(dataset))
        full = comparison.FULL
        for selection in partition.SELECTIONS:
            plots = deciles.tables(partition.of(estimates[full], selection))
            for target, plot in plots.items():
                tables.write_csv(plot, paths.deciles(dataset, full, selection, target))


if __name__ == "__main__":
    main(sys.argv[1])
