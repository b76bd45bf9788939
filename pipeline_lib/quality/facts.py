"""What a summary needs to know of each recording: no samples, no frames."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipeline_lib.core.schema import RATINGS, SIGNALS, Schema
from pipeline_lib.recordings import Source

CHECKED: Schema = {  # one row per recording that the set announces
    "recording_id": pl.String,
    "subject": pl.String,
    "trial": pl.String,
    "split": pl.String,  # null: the owners give none
    "status": pl.String,  # ok | partial | failed | excluded
    "reason": pl.String,  # "" when ok
    "duration": pl.Float64,  # s from stimulus onset; null if unknown
    "video": pl.String,  # path below the root, whether it can be used or not; null: none
    "audio": pl.String,
    "video_content": pl.String,  # the same for copies; null: unknown
    "audio_content": pl.String,
    "signals_content": pl.String,
}

CHANNELS: Schema = {  # one row per recording and channel
    **{name: dtype for name, dtype in SIGNALS.items() if name != "samples"},
    "length": pl.Int64,  # samples
}

VIDEOS: Schema = {  # one row per video whose headers were read
    "video": pl.String,  # as in CHECKED
    "codec": pl.String,
    "width": pl.Int64,  # px
    "height": pl.Int64,  # px
    "frame_rate": pl.Float64,  # Hz, as announced; null: not announced, like the following
    "duration": pl.Float64,  # s
    "announced": pl.Int64,  # frames
    "decoded": pl.Int64,  # frames; null: not tried
}


@dataclass(frozen=True)
class Facts:
    """All that is known of a data set, or of a part of one."""

    recordings: pl.DataFrame  # CHECKED
    channels: pl.DataFrame  # CHANNELS
    ratings: pl.DataFrame  # schema.RATINGS
    videos: pl.DataFrame  # VIDEOS


def channels(signals: pl.DataFrame) -> pl.DataFrame:
    """schema.SIGNALS without the samples, but with their number; CHANNELS."""
    length = pl.col("samples").list.len().cast(pl.Int64).alias("length")
    return signals.with_columns(length).select(list(CHANNELS))


def ingested(
    index: pl.DataFrame,
    ratings: pl.DataFrame,
    channels: pl.DataFrame,
    sources: Sequence[Source],
    *,
    root: Path,
) -> Facts:
    """The facts of a data set from the tables of `ingest`, which looks into no video.

    index    : schema.RECORDINGS
    ratings  : schema.RATINGS
    channels : CHANNELS
    sources  : of all recordings in the index, which knows no file of those that are excluded
    """
    contents = {f"{kind}_sha256": f"{kind}_content" for kind in ("video", "audio", "signals")}
    recordings = (
        index.drop("video", "audio")
        .join(_files(sources, root), on="recording_id", validate="1:1", maintain_order="left")
        .rename(contents)
        .select(list(CHECKED))
    )
    return Facts(recordings, channels, ratings, pl.DataFrame(schema=dict(VIDEOS)))


def joined(parts: Sequence[Facts]) -> Facts:
    """The facts of all parts, sorted, for they come in any order; a shared video stands once."""

    return Facts(
        recordings=_concat((part.recordings for part in parts), CHECKED),
        channels=_concat((part.channels for part in parts), CHANNELS),
        ratings=_concat((part.ratings for part in parts), RATINGS),
        videos=_concat((part.videos for part in parts), VIDEOS).unique(maintain_order=True),
    )


def below(path: Path | None, root: Path) -> str | None:
    """A file's path as the tables have it."""
    return None if path is None else path.relative_to(root).as_posix()


def _concat(tables: Iterable[pl.DataFrame], schema: Schema) -> pl.DataFrame:
    rows = pl.concat([pl.DataFrame(schema=dict(schema)), *tables])
    return rows.sort(next(iter(schema)), maintain_order=True)


def _files(sources: Sequence[Source], root: Path) -> pl.DataFrame:
    rows = [(s.recording_id, below(s.video, root), below(s.audio, root)) for s in sources]
    schema = {name: pl.String for name in ("recording_id", "video", "audio")}
    return pl.DataFrame(rows, schema=schema, orient="row")
