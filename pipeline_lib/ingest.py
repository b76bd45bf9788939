"""From an adapter's readings to the index of a data set and its signals at native rate."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, fields
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

import polars as pl

from pipeline_lib import media
from pipeline_lib.core.files import sha256
from pipeline_lib.core.schema import RATINGS, RECORDINGS, SIGNALS, SOURCES, TARGETS
from pipeline_lib.incremental import Recording, Result
from pipeline_lib.recordings import Reading, RecordingError, Signal, Source

content_hash = cache(sha256)  # many recordings share a file

Read = Callable[..., Iterable[tuple[Source, Reading | RecordingError]]]

# A recording as the cache keeps it: its row of the index but for labels, and its signals.
_RATED = {name: dtype for name, dtype in RECORDINGS.items() if not name.endswith("_label")}
INGESTED = {
    **{name: dtype for name, dtype in _RATED.items() if name not in ("status", "reason")},
    "ratings": pl.List(pl.Struct({k: v for k, v in RATINGS.items() if k != "recording_id"})),
    "signals": pl.List(pl.Struct({k: v for k, v in SIGNALS.items() if k != "recording_id"})),
}


def as_recordings(sources: Sequence[Source]) -> list[Recording]:
    return [{field.name: getattr(s, field.name) for field in fields(s)} for s in sources]


def input_hashes(recording: Recording, *, root: Path) -> list[object]:
    """What the reading of a recording depends on: its names, and its files' places and content."""
    files = [recording[key] for key in ("signals", "video", "audio")] + [*recording["tables"]]
    names = [recording[key] for key in ("recording_id", "trial", "stimulus", "order", "split")]
    places = [file and file.relative_to(root).as_posix() for file in files]
    return [*names, *places, *(file and content_hash(file) for file in files)]


def by_file(recordings: Sequence[Recording]) -> Iterator[list[Recording]]:
    """Recordings that lie in one file go together, so that it is read once."""
    for _, group in groupby(recordings, key=lambda r: r["signals"] or r["recording_id"]):
        yield list(group)


def ingest_batch(
    batch: Sequence[Recording],
    *,
    read: Read,
    heart: str | None,
    eda_unit: str | dict[str, str] | None,
    root: Path,
    synthetic: bool,
) -> Iterator[tuple[str, Result]]:
    """Read the recordings of one file; every one gets a row, whatever became of it."""
    sources = [Source(**recording) for recording in batch]
    for source, outcome in read(sources, heart=heart, eda_unit=eda_unit):
        reading = media.completed(source, outcome, media.DECODED)
        if isinstance(reading, RecordingError):
            status, reason, reading = "excluded", str(reading), Reading()
        else:
            status = "partial" if reading.missing else "ok"
            reason = "; ".join(reading.missing)
        row = _row(source, reading, root=root, synthetic=synthetic)
        table = pl.DataFrame([row], schema=INGESTED, orient="row")
        yield source.recording_id, Result(table, status, reason)


def index(ingested: pl.DataFrame, ledger: pl.DataFrame, *, threshold: float) -> pl.DataFrame:
    """The index: ratings binarised (rating > threshold is 1), status and reason; RECORDINGS."""
    labels = [(pl.col(t) > threshold).cast(pl.Int8).alias(f"{t}_label") for t in TARGETS]
    outcome = ledger.select("recording_id", "status", "reason")
    joined = ingested.drop("signals", "ratings").join(
        outcome, on="recording_id", validate="1:1", maintain_order="left"
    )
    return joined.with_columns(labels).select(list(RECORDINGS))


def signals(ingested: pl.DataFrame) -> pl.DataFrame:
    """One row per recording and channel; schema.SIGNALS."""
    return _long(ingested, "signals").select(list(SIGNALS))


def ratings(ingested: pl.DataFrame) -> pl.DataFrame:
    """One row per recording and rating; schema.RATINGS."""
    return _long(ingested, "ratings").select(list(RATINGS))


def _long(ingested: pl.DataFrame, column: str) -> pl.DataFrame:
    """A row for each item of a column of lists of structs."""
    rows = ingested.select("recording_id", column).explode(column, empty_as_null=False)
    return rows.unnest(column)


def sources_only(table: pl.DataFrame) -> pl.DataFrame:
    return table.select(list(SOURCES))


def _row(source: Source, reading: Reading, *, root: Path, synthetic: bool) -> dict[str, Any]:
    video = source.video if reading.video_start is not None else None
    audio = source.audio if reading.audio_start is not None else None
    return {
        "recording_id": source.recording_id,
        "subject": source.subject,
        "trial": source.trial,
        "stimulus": source.stimulus,
        "synthetic": synthetic,
        "order": source.order,
        "video": video and video.relative_to(root).as_posix(),
        "video_sha256": video and content_hash(video),
        "video_start": reading.video_start,
        "audio": audio and audio.relative_to(root).as_posix(),
        "audio_sha256": audio and content_hash(audio),
        "audio_start": reading.audio_start,
        "signals_sha256": _content(reading.signals),
        "duration": reading.duration,
        "split": source.split,
        **{target: reading.ratings.get(target) for target in TARGETS},
        "ratings": [{"name": k, "value": v} for k, v in reading.ratings.items()],
        "signals": [asdict(signal) for signal in reading.signals],
    }


def _content(signals: Sequence[Signal]) -> str | None:
    digest = hashlib.sha256()
    for signal in signals:
        digest.update(f"{signal.channel} {signal.unit} {signal.sampling_rate}".encode())
        digest.update(signal.samples.tobytes())
    return digest.hexdigest() if signals else None
