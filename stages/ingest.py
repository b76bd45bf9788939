"""Read a data set's raw files: index, labels, ratings, signals at native rate; and judge them."""

import sys
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import polars as pl

from pipeline_lib import incremental, ingest, paths, tables, tracking
from pipeline_lib.params import load_params
from pipeline_lib.quality import facts, page
from pipeline_lib.quality.summary import summarise
from pipeline_lib.schema import RATINGS, RECORDINGS, SIGNALS, validate


def main(dataset: str) -> None:
    params = load_params()
    settings = params.datasets[dataset]
    root = Path(settings.root)
    synthetic = (root / "SYNTHETIC.md").exists()
    channels: dict[str, Any] = {"heart": settings.heart, "eda_unit": settings.eda_unit}
    adapter = import_module(f"pipeline_lib.datasets.{settings.layout}.adapter")
    sources = adapter.discover(root)
    with tracking.stage_run(
        "ingest", dataset, experiment=params.execution.experiment, params=channels
    ) as run:
        done = incremental.run(
            ingest.as_recordings(sources),
            partial(
                ingest.ingest_batch, read=adapter.read, **channels, root=root, synthetic=synthetic
            ),
            stage="ingest",
            inputs=ingest.input_hashes,
            skip=lambda recording: "",
            batches=ingest.by_file,
            execution=params.execution,
        )
        known = facts.ingested(*write(dataset, done, settings.threshold), sources, root=root)
        run.ledger(done.ledger, done.seconds)
    official, threshold = adapter.OFFICIAL, settings.threshold
    summary = summarise(
        known, dataset=dataset, official=official, threshold=threshold, synthetic=synthetic
    )
    page.write(summary, paths.quality(dataset))
    incremental.check_failures(done.ledger, stage="ingest", max_failed=params.max_failed)


def write(
    dataset: str, done: incremental.Run, threshold: float
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Write the tables, one subject in memory at a time; index, ratings, and facts.CHANNELS."""
    indices, ratings, channels = [], [], []
    for subject, rows in incremental.by_subject(done):
        signals = validate(ingest.signals(rows), SIGNALS, dataset)
        if signals.height:
            tables.write_table(signals, tables.shard(paths.signals(dataset), subject))
        indices.append(ingest.index(rows, done.ledger, threshold=threshold))
        ratings.append(ingest.ratings(rows))
        channels.append(facts.channels(signals))
    index = validate(pl.concat(indices), RECORDINGS, dataset)
    rated = validate(pl.concat(ratings), RATINGS, dataset)
    tables.write_table(ingest.sources_only(index), paths.sources(dataset))
    tables.write_table(index, paths.index(dataset))
    tables.write_table(rated, paths.ratings(dataset))
    tables.write_table(done.ledger, paths.ledger(paths.signals(dataset)))
    return index, rated, pl.concat(channels)


if __name__ == "__main__":
    main(sys.argv[1])
