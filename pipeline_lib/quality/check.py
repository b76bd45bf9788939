"""Read a whole download and keep what a summary needs; nothing is written.

Of a clip the headers are read or, on request, all frames are decoded and counted.
"""

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import polars as pl

from pipeline_lib import ingest, media
from pipeline_lib.core import parallel
from pipeline_lib.core.schema import RATINGS, Schema
from pipeline_lib.incremental import Recording
from pipeline_lib.params import Execution
from pipeline_lib.quality.facts import CHANNELS, CHECKED, VIDEOS, Facts, below, joined
from pipeline_lib.recordings import Reading, RecordingError, Signal, Source
from pipeline_lib.video.decode import VideoError, frame_times, probe

TASKS = 1000  # at most; to hand one out takes time, and progress shows when one is done
DECODED = 0.99  # least share of the frames that a header announces, which may lie by a few

Row = dict[str, object]


@dataclass(frozen=True)
class Look:
    """What a video tells without being watched."""

    reason: str = ""  # what is wrong with it; "" if nothing is
    content: str | None = None  # the same for copies; None: it cannot be read
    columns: Row = field(default_factory=dict)  # of VIDEOS


def check(
    sources: Sequence[Source],
    *,
    read: ingest.Read,
    root: Path,
    decode: bool,
    execution: Execution,
    **settings: Any,
) -> Facts:
    """Read all recordings in parallel; a process has the samples of one file in memory.

    decode   : whether to decode all frames of all videos
    settings : what `read` takes besides sources

    Raises DatasetError if `read` finds the set as a whole unreadable.
    """
    files = list(ingest.by_file(ingest.as_recordings(sources)))
    size = max(1, math.ceil(len(files) / TASKS))
    tasks = [files[i : i + size] for i in range(0, len(files), size)]
    work = partial(check_files, read=read, root=root, decode=decode, settings=settings)
    return joined(list(parallel.run(work, tasks, execution=execution, label="check")))


def check_files(
    files: Sequence[Sequence[Recording]],
    *,
    read: ingest.Read,
    root: Path,
    decode: bool,
    settings: Mapping[str, Any],
) -> Facts:
    """Read the recordings of some files, and their videos as far as `decode` says."""
    recordings, channels, ratings, videos = [], [], [], []
    for batch in files:
        for source, reading in read([Source(**recording) for recording in batch], **settings):
            outcome = media.completed(source, reading, media.DECODED if decode else media.HEADERS)
            look = _look_once(source.video, decode=decode) if source.video else Look()
            name: Row = {"recording_id": source.recording_id}
            recordings.append(name | _recording(source, outcome, look, root=root))
            if isinstance(outcome, Reading):
                channels += [name | row for row in _channels(outcome.signals)]
                ratings += [name | {"name": k, "value": v} for k, v in outcome.ratings.items()]
            if look.columns:
                videos.append({"video": below(source.video, root), **look.columns})
    return Facts(
        recordings=_table(recordings, CHECKED),
        channels=_table(channels, CHANNELS),
        ratings=_table(ratings, RATINGS),
        videos=_table(videos, VIDEOS),
    )


def look_at(video: Path, *, decode: bool) -> Look:
    """Read a video's headers; decode and count its frames only if asked to."""
    try:
        size = video.stat().st_size
        if size == 0:
            return Look(f"{video.name}: 0 bytes")
        info = probe(video)
        decoded = len(frame_times(video)) if decode else None
    except (OSError, VideoError) as error:
        return Look(str(error))
    few = decoded is not None and decoded < DECODED * (info.n_frames or 0)
    return Look(
        reason=f"{video.name}: {decoded} of {info.n_frames} frames decode" if few else "",
        content=f"{size} bytes, {info.duration} s",
        columns={
            "codec": info.codec,
            "width": info.width,
            "height": info.height,
            "frame_rate": info.frame_rate,
            "duration": info.duration,
            "announced": info.n_frames,
            "decoded": decoded,
        },
    )


_look_once = lru_cache(maxsize=1)(look_at)  # recordings that follow each other may share one


def _recording(source: Source, outcome: Reading | RecordingError, look: Look, *, root: Path) -> Row:
    """The recording's row of CHECKED, but for its name."""
    status, reason = _status(outcome, look)
    reading = outcome if isinstance(outcome, Reading) else Reading()
    return {
        "subject": source.subject,
        "trial": source.trial,
        "split": source.split,
        "status": status,
        "reason": reason,
        "duration": reading.duration,
        "video": below(source.video, root),
        "audio": below(source.audio, root),
        "video_content": look.content,
        "audio_content": None,
        "signals_content": _content(reading.signals),
    }


def _status(outcome: Reading | RecordingError, look: Look) -> tuple[str, str]:
    """Status and reason of a recording, its video included."""
    if isinstance(outcome, RecordingError):
        return "excluded", str(outcome)
    missing = [*outcome.missing, *([look.reason] if look.reason else [])]
    if look.reason and look.content is None and not outcome.signals:
        return "failed", "; ".join(missing)
    return "partial" if missing else "ok", "; ".join(missing)


def _channels(signals: Sequence[Signal]) -> Iterator[Row]:
    """Rows of CHANNELS, but for the recording's name."""
    for signal in signals:
        yield {
            "channel": signal.channel,
            "unit": signal.unit,
            "sampling_rate": signal.sampling_rate,
            "start": signal.start,
            "source_unit": signal.source_unit,
            "length": signal.samples.size,
        }


def _content(signals: Sequence[Signal]) -> str | None:
    """The same for signals with the same samples; None: there are none."""
    samples = b"".join(signal.samples.tobytes() for signal in signals)
    return hashlib.sha256(samples).hexdigest() if signals else None


def _table(rows: Sequence[Row], schema: Schema) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=dict(schema), orient="row")
