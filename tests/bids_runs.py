"""Hand-made BIDS runs for the tests of the adapter."""

import gzip
import json
from pathlib import Path

from pipeline_lib.datasets.bids import adapter as bids
from pipeline_lib.recordings import Reading, RecordingError, Signal

STEM = "sub-01_task-watch_run-01"
SCALES = {name: {"Levels": {"1": "low", "9": "high"}} for name in ("valence", "arousal")}


def write_physio(
    root: Path, column: str, rows: list[object], *, stem: str = STEM, name: str = "", **sidecar
) -> None:
    """rows of one column; sidecar of 10 Hz from 0 s unless said otherwise."""
    base = root / stem.split("_")[0] / "beh" / f"{stem}_recording-{name or column.lower()}_physio"
    base.parent.mkdir(parents=True, exist_ok=True)
    sidecar = {"SamplingFrequency": 10, "StartTime": 0, "Columns": [column]} | sidecar
    sidecar.setdefault(column, {"Units": "uS" if column == "EDA" else "mV"})
    write_json(Path(f"{base}.json"), sidecar)
    text = "".join(f"{row}\n" for row in rows)
    Path(f"{base}.tsv.gz").write_bytes(gzip.compress(text.encode()))


def write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content))


def write_events(root: Path, *lines: str, scales: dict | None = SCALES) -> None:
    path = root / "sub-01" / "beh" / f"{STEM}_events.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(line.replace(" ", "\t") + "\n" for line in lines))
    if scales is not None:
        write_json(path.with_suffix(".json"), scales)


def add_video(root: Path, suffix: str = ".mp4", **sidecar) -> None:
    base = root / "sub-01" / "beh" / f"{STEM}_video"
    base.parent.mkdir(parents=True, exist_ok=True)
    base.with_suffix(suffix).touch()
    if sidecar:
        base.with_suffix(".json").write_text(json.dumps(sidecar))


def read(root: Path, **options) -> dict[str, Reading | RecordingError]:
    options = {"heart": "ECG", "eda_unit": None} | options
    return {s.recording_id: r for s, r in bids.read(bids.discover(root), **options)}


def signal(root: Path, **options) -> Signal:
    """The one signal of the one recording."""
    (reading,) = read(root, **options).values()
    if isinstance(reading, RecordingError):
        raise reading
    (found,) = reading.signals
    return found
