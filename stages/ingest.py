"""Read a data set's raw files: index, labels, ratings, signals at native rate; and judge them."""

import sys
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from pipeline_lib import incremental, ingest, ingested
from pipeline_lib.core import paths, tracking
from pipeline_lib.params import load_params
from pipeline_lib.quality import facts, page
from pipeline_lib.quality.summary import summarise
from pipeline_lib.recordings import DatasetError


def main(dataset: str) -> None:
    params = load_params()
    settings = params.datasets[dataset]
    root = Path(settings.root)
    synthetic = (root / "SYNTHETIC.md").exists()
    channels: dict[str, Any] = {"heart": settings.heart, "eda_unit": settings.eda_unit}
    adapter = import_module(f"pipeline_lib.datasets.{settings.layout}.{settings.part or 'adapter'}")
    try:
        sources = adapter.discover(root)
    except DatasetError as error:
        sys.exit(f"{dataset} cannot be used: {error}".replace("<name>", dataset))
    with tracking.stage_run(
        "ingest", dataset, experiment=params.execution.experiment, params=channels
    ) as run:
        done = incremental.run(
            ingest.as_recordings(sources),
            partial(
                ingest.ingest_batch, read=adapter.read, **channels, root=root, synthetic=synthetic
            ),
            stage="ingest",
            inputs=partial(ingest.input_hashes, root=root),
            skip=lambda recording: "",
            batches=ingest.by_file,
            execution=params.execution,
        )
        known = facts.ingested(
            *ingested.write(dataset, done, threshold=settings.threshold), sources, root=root
        )
        run.ledger(done.ledger, done.seconds)
    official, threshold = adapter.OFFICIAL, settings.threshold
    summary = summarise(
        known, dataset=dataset, official=official, threshold=threshold, synthetic=synthetic
    )
    page.write(summary, paths.quality(dataset))
    incremental.check_failures(done.ledger, stage="ingest", max_failed=params.max_failed)


if __name__ == "__main__":
    main(sys.argv[1])
