"""Move videos by the offsets that can be trusted, and the sound in them."""

import polars as pl

from pipeline_lib.core.schema import SYNC


def with_shift(measured: pl.DataFrame, *, apply: bool, min_confidence: float) -> pl.DataFrame:
    """schema.SYNC: offsets of at least this confidence become shifts, if they are to be applied."""
    is_trusted = pl.lit(apply) & (pl.col("confidence") >= min_confidence)
    shift = pl.when(is_trusted).then("offset").otherwise(0.0).alias("shift")
    return measured.with_columns(shift).select(list(SYNC))


def shifted(recordings: pl.DataFrame, sync: pl.DataFrame) -> pl.DataFrame:
    """The recordings with each video, and the sound in it, starting earlier by its shift.

    recordings : schema.SOURCES or schema.RECORDINGS
    sync       : schema.SYNC, a row for each of them
    """
    joined = recordings.join(
        sync.select("recording_id", "shift"),
        on="recording_id",
        validate="1:1",
        maintain_order="left",
    )
    is_in_video = pl.col("audio") == pl.col("video")
    return joined.with_columns(
        pl.col("video_start") - pl.col("shift"),
        pl.when(is_in_video)
        .then(pl.col("audio_start") - pl.col("shift"))
        .otherwise("audio_start")
        .alias("audio_start"),
    ).drop("shift")
