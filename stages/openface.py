"""Extract action units, gaze, pose and landmarks of every video, frame by frame."""

import sys
from functools import partial
from pathlib import Path

from pipeline_lib import incremental
from pipeline_lib.core import paths, tables, tracking
from pipeline_lib.core.files import sha256
from pipeline_lib.core.schema import OPENFACE, SOURCES
from pipeline_lib.face import openface
from pipeline_lib.params import load_params
from pipeline_lib.recordings import skip_reason


def main(dataset: str) -> None:
    params = load_params()
    root = Path(params.datasets[dataset].root)
    model = sha256(paths.asset("face_landmarker"))
    with tracking.stage_run(
        "openface",
        dataset,
        experiment=params.execution.experiment,
        params={"openface": params.openface},
    ) as run:
        done = incremental.run(
            tables.read_table(paths.sources(dataset), SOURCES).to_dicts(),
            partial(openface.extract_batch, root=root, openface=params.openface),
            stage="openface",
            inputs=lambda recording: [recording["recording_id"], recording["video_sha256"], model],
            skip=partial(skip_reason, needs="video"),
            batches=partial(
                openface.batches,
                root=root,
                openface=params.openface,
                execution=params.execution,
            ),
            execution=params.execution,
        )
        incremental.write(done, paths.openface(dataset), schema=OPENFACE)
        run.ledger(done.ledger, done.seconds)
    incremental.check_failures(done.ledger, stage="openface", max_failed=params.max_failed)


if __name__ == "__main__":
    main(sys.argv[1])
