"""Measure how video and signals lie in time, and on request by how much a video is late."""

import sys
from pathlib import Path

import polars as pl

from pipeline_lib import incremental
from pipeline_lib.core import paths, tables, tracking
from pipeline_lib.core.schema import SOURCES, SYNC, validate
from pipeline_lib.params import load_params
from pipeline_lib.sync.measure import sync_recording
from pipeline_lib.sync.shift import with_shift


def main(dataset: str) -> None:
    params = load_params()
    extracted = incremental.keys(paths.openface(dataset)) if params.sync.estimate else {}
    starts = tables.signal_starts(paths.signals(dataset))
    with tracking.stage_run(
        "sync", dataset, experiment=params.execution.experiment, params={"sync": params.sync}
    ) as run:
        done = incremental.run(
            tables.read_table(paths.sources(dataset), SOURCES).to_dicts(),
            incremental.one_by_one(
                sync_recording,
                root=Path(params.datasets[dataset].root),
                signals=paths.signals(dataset),
                openface=paths.openface(dataset),
                heart=params.datasets[dataset].heart,
                estimate=params.sync.estimate,
                max_offset=params.sync.max_offset,
            ),
            stage="sync",
            inputs=lambda recording: [
                *(recording[key] for key in ("recording_id", "video_sha256", "video_start")),
                *(recording[key] for key in ("signals_sha256", "status", "reason")),
                extracted.get(recording["recording_id"]),
                starts.get(recording["recording_id"]),
            ],
            skip=lambda recording: "",
            execution=params.execution,
        )
        measured = pl.concat([rows for _, rows in incremental.by_subject(done)])
        table = with_shift(
            measured, apply=params.sync.apply, min_confidence=params.sync.min_confidence
        )
        tables.write_table(validate(table, SYNC, dataset), paths.sync(dataset))
        run.ledger(done.ledger, done.seconds)


if __name__ == "__main__":
    main(sys.argv[1])
