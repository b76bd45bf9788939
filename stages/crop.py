"""Cut the face out of every video: 4 s clips of 16 frames, a large and a small crop."""

import sys
from functools import partial
from pathlib import Path

from pipeline_lib import incremental
from pipeline_lib.core import paths, tables, tracking
from pipeline_lib.core.schema import CROPS, SOURCES, SYNC
from pipeline_lib.params import load_params
from pipeline_lib.recordings import skip_reason
from pipeline_lib.sync.shift import shifted
from pipeline_lib.video.crop import crop_recording


def main(dataset: str) -> None:
    params = load_params()
    extracted = incremental.keys(paths.openface(dataset))
    recordings = shifted(
        tables.read_table(paths.sources(dataset), SOURCES),
        tables.read_table(paths.sync(dataset), SYNC),
    )
    with tracking.stage_run(
        "crop",
        dataset,
        experiment=params.execution.experiment,
        params={"crop": params.crop, "scale": params.scale},
    ) as run:
        done = incremental.run(
            recordings.to_dicts(),
            incremental.one_by_one(
                crop_recording,
                root=Path(params.datasets[dataset].root),
                openface=paths.openface(dataset),
                window_start=params.datasets[dataset].window_start,
                crop=params.crop,
                size=params.crop.size[params.scale],
            ),
            stage="crop",
            inputs=lambda recording: [
                recording["video_sha256"],
                recording["video_start"],
                extracted[recording["recording_id"]],
            ],
            skip=partial(skip_reason, needs="video"),
            execution=params.execution,
        )
        # A clip lies together, so that one that is read on its own costs one small read.
        incremental.write(done, paths.crops(dataset), schema=CROPS, group=params.crop.clip_frames)
        run.ledger(done.ledger, done.seconds)
    incremental.check_failures(done.ledger, stage="crop", max_failed=params.max_failed)


if __name__ == "__main__":
    main(sys.argv[1])
