"""Filter the ECG, PPG and EDA of every recording: resample, Butterworth, mains."""

import sys
from functools import partial

from pipeline_lib import incremental
from pipeline_lib.core import paths, tables, tracking
from pipeline_lib.core.schema import PHYSIO, SOURCES
from pipeline_lib.params import load_params
from pipeline_lib.physio.filters import filter_recording
from pipeline_lib.recordings import skip_reason


def main(dataset: str) -> None:
    params = load_params()
    window_start = params.datasets[dataset].window_start
    starts = tables.signal_starts(paths.signals(dataset))
    with tracking.stage_run(
        "filter",
        dataset,
        experiment=params.execution.experiment,
        params={"physio": params.physio, "window_start": window_start},
    ) as run:
        done = incremental.run(
            tables.read_table(paths.sources(dataset), SOURCES).to_dicts(),
            incremental.one_by_one(
                filter_recording,
                signals=paths.signals(dataset),
                window_start=window_start,
                physio=params.physio,
            ),
            stage="filter",
            inputs=lambda recording: [
                *(recording[key] for key in ("recording_id", "signals_sha256")),
                starts.get(recording["recording_id"]),
            ],
            skip=partial(skip_reason, needs="signals_sha256"),
            execution=params.execution,
        )
        incremental.write(done, paths.physio(dataset), schema=PHYSIO)
        run.ledger(done.ledger, done.seconds)
    incremental.check_failures(done.ledger, stage="filter", max_failed=params.max_failed)


if __name__ == "__main__":
    main(sys.argv[1])
