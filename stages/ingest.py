"""Read a data set's raw files: index, labels, content hashes, and signals at native rate."""

import sys
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import polars as pl

from pipeline_lib import incremental, ingest, paths, tables, tracking
from pipeline_lib.params import load_params
from pipeline_lib.schema import RECORDINGS, SIGNALS, validate


def main(dataset: str) -> None:
    params = load_params()
    settings = params.datasets[dataset]
    root = Path(settings.root)
    channels: dict[str, Any] = {"heart": settings.heart, "eda_unit": settings.eda_unit}
    adapter = import_module(f"pipeline_lib.datasets.{settings.layout}.adapter")
    with tracking.stage_run(
        "ingest", dataset, experiment=params.execution.experiment, params=channels
    ) as run:
        done = incremental.run(
            ingest.as_recordings(adapter.discover(root)),
            partial(
                ingest.ingest_batch,
                read=adapter.read,
                **channels,
                root=root,
                synthetic=(root / "SYNTHETIC.md").exists(),
            ),
            stage="ingest",
            inputs=ingest.input_hashes,
            skip=lambda recording: "",
            batches=ingest.by_file,
            execution=params.execution,
        )
        parts = []
        for subject, rows in incremental.by_subject(done):
            parts.append(ingest.index(rows, done.ledger, threshold=settings.threshold))
            signals = validate(ingest.signals(rows), SIGNALS, dataset)
            tables.write_table(signals, tables.shard(paths.signals(dataset), subject))
        index = validate(pl.concat(parts), RECORDINGS, dataset)
        tables.write_table(ingest.sources_only(index), paths.sources(dataset))
        tables.write_table(index, paths.index(dataset))
        tables.write_table(done.ledger, paths.ledger(paths.signals(dataset)))
        run.ledger(done.ledger, done.seconds)
    incremental.check_failures(done.ledger, stage="ingest", max_failed=params.max_failed)


if __name__ == "__main__":
    main(sys.argv[1])
