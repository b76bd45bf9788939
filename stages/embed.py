"""Encode every recording: 32 tokens of one modality by one encoder."""

import sys
from functools import partial
from pathlib import Path

from pipeline_lib import incremental
from pipeline_lib.core import paths, tables, tracking
from pipeline_lib.core.schema import EMBEDDINGS, SOURCES, SYNC
from pipeline_lib.embeddings import encoders
from pipeline_lib.params import load_params
from pipeline_lib.recordings import skip_reason
from pipeline_lib.sync.shift import shifted


def main(dataset: str, encoder: str) -> None:
    params = load_params()
    config = getattr(params.embeddings[params.scale], encoder)
    openface = paths.openface(dataset)
    recordings = shifted(
        tables.read_table(paths.sources(dataset), SOURCES),
        tables.read_table(paths.sync(dataset), SYNC),
    )
    stage, out = f"embed-{encoder}", paths.embeddings(dataset, encoder)
    with tracking.stage_run(
        stage,
        dataset,
        experiment=params.execution.experiment,
        params={"encoder": config, "sampling": params.sampling},
    ) as run:
        done = incremental.run(
            recordings.to_dicts(),
            encoders.work(
                config,
                root=Path(params.datasets[dataset].root),
                openface=openface,
                sampling=params.sampling,
            ),
            stage=stage,
            inputs=encoders.inputs(config, extracted=incremental.keys(openface)),
            skip=partial(skip_reason, needs=encoders.needs(config)),
            execution=params.execution,
        )
        incremental.write(done, out, schema=EMBEDDINGS)
        run.ledger(done.ledger, done.seconds)
    incremental.check_failures(done.ledger, stage=stage, max_failed=params.max_failed)


if __name__ == "__main__":
    main(*sys.argv[1:])
