"""Join action units, physiology and labels: one row per recording, ready for training."""

import sys

import polars as pl

from pipeline_lib import store
from pipeline_lib.core import paths, tables, tracking
from pipeline_lib.core.schema import FEATURES, OPENFACE, PHYSIO, RECORDINGS, SYNC, validate
from pipeline_lib.params import load_params
from pipeline_lib.sync.shift import shifted


def main(dataset: str) -> None:
    params = load_params()
    settings = params.datasets[dataset]
    index = shifted(
        tables.read_table(paths.index(dataset), RECORDINGS),
        tables.read_table(paths.sync(dataset), SYNC),
    )
    with tracking.stage_run(
        "store",
        dataset,
        experiment=params.execution.experiment,
        params={"store": params.store, "window_start": settings.window_start},
    ) as run:
        for (subject,), recordings in index.group_by("subject", maintain_order=True):
            openface = tables.read_subject(paths.openface(dataset), OPENFACE, str(subject))
            physio = tables.read_subject(paths.physio(dataset), PHYSIO, str(subject))
            rows = [
                store.features(
                    recording,
                    openface=openface.filter(pl.col("recording_id") == recording["recording_id"]),
                    physio=physio.filter(pl.col("recording_id") == recording["recording_id"]),
                    visual=params.store.visual,
                    fps=params.store.fps,
                    window_start=settings.window_start,
                    heart=settings.heart,
                )
                for recording in recordings.to_dicts()
            ]
            table = validate(pl.DataFrame(rows, schema=dict(FEATURES)), FEATURES, dataset)
            tables.write_table(table, tables.shard(paths.features(dataset), str(subject)))
        run.metrics({"recordings": index.height})


if __name__ == "__main__":
    main(sys.argv[1])
