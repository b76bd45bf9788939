"""What MVP attends to where it is right and its rival wrong: `python -m stages.explain deap`."""

import sys
from typing import Any

import polars as pl

from pipeline_lib import cases, explanation
from pipeline_lib.core import paths, tables, tracking
from pipeline_lib.core.schema import CROPS, FEATURES, PHYSIO, PREDICTIONS, RECORDINGS
from pipeline_lib.learning import verdicts
from pipeline_lib.params import load_params

SYSTEM, RIVAL = "mvp", "mlp"  # MVP 5.3


def main(dataset: str) -> None:
    params = load_params()
    settings: dict[str, Any] = {
        "config": params.models[params.scale].mvp,
        "fps": params.store.fps,
        "sampling_rate": params.physio.sampling_rate,
        "window_start": params.datasets[dataset].window_start,
    }
    folds = verdicts.cleared_folds(dataset, verdict=dataset)
    features = tables.read_shards(paths.features(dataset), FEATURES)
    index = tables.read_table(paths.index(dataset), RECORDINGS)
    out = paths.cases(dataset)
    with tracking.stage_run(
        "explain", dataset, experiment=params.execution.experiment, params=settings
    ):
        compared = cases.compared(
            *(
                tables.read_table(paths.predictions(dataset, system), PREDICTIONS)
                for system in (SYSTEM, RIVAL)
            )
        )
        chosen = cases.successes(compared)
        shown = pl.col("recording_id").is_in(chosen["recording_id"].to_list())
        physio = tables.read_shards(paths.physio(dataset), PHYSIO, shown)
        attention = explanation.of_cases(
            chosen, features, folds, index, physio, run=paths.run(dataset, SYSTEM), **settings
        )
        tables.write_table(cases.outcomes(compared), out / "outcomes.parquet")
        tables.write_table(chosen, out / "cases.parquet")
        tables.write_table(attention, out / "attention.parquet")
        tables.write_table(features.filter(shown), out / "features.parquet")
        tables.write_table(physio, out / "physio.parquet")
        crops = tables.read_shards(paths.crops(dataset), CROPS, shown)
        tables.write_table(crops, out / "crops.parquet")


if __name__ == "__main__":
    main(sys.argv[1])
