"""One recording of the BIDS twin, whose video is late and shows a pulse by as much as is asked."""

from pathlib import Path

import polars as pl

from pipeline_lib import params
from pipeline_lib.core import tables
from pipeline_lib.core.schema import LANDMARKS, OPENFACE, SIGNALS
from pipeline_lib.datasets.bids import adapter
from pipeline_lib.face.feature_extraction import measure
from pipeline_lib.face.tracking import follower
from pipeline_lib.twins.bids import writer
from pipeline_lib.twins.shared.plan import Trial

TWIN = params.Twin(subjects=5, trials=2, seconds=24.0, effect=1.0, traps="few", seed=7,
                   width=240, height=180)  # fmt: skip
VIEWER = Trial(subject=0, trial=0, face=0, body=0, valence=0, arousal=0)


def record(root: Path, clips: dict[str, Path], model: Path, *, offset: float, pulse: float) -> dict:
    """Write one recording of the twin and the tables that are made of it; its row of the index."""
    writer.write_top(root, TWIN)
    writer.write_subject(
        root, [VIEWER], traps={}, twin=TWIN, clips=clips, offset=offset, pulse=pulse
    )
    ((source, reading),) = adapter.read(adapter.discover(root), heart="PPG", eda_unit=None)
    key = {"recording_id": source.recording_id}
    signals = [key | vars(signal) for signal in reading.signals]
    tables.write_table(
        pl.DataFrame(signals, schema=dict(SIGNALS)), tables.shard(root / "signals", "sub-01")
    )
    rows = [key | row for row in faces(source.video, model)]
    table = pl.DataFrame(rows, schema=dict(OPENFACE))
    tables.write_table(table, tables.shard(root / "openface", "sub-01"))
    video = source.video.relative_to(root).as_posix()
    times = {"video_start": reading.video_start, "status": "ok", "reason": ""}
    return key | {"subject": "sub-01", "video": video} | times


def faces(video: Path, model: Path) -> list[dict]:
    """Landmarks of two frames a second."""
    with follower(model, quiet=True) as follow:
        rows = [row for row, _ in measure(video, follow, fps=2.0)]
    return [
        {"frame": row["frame"], "time": row["timestamp"], "success": bool(row["success"])}
        | {name: row.get(name) for name in LANDMARKS}
        for row in rows
    ]
