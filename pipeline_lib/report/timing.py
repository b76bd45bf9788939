"""How the videos of a data set lie on its signals, in one row."""

from collections.abc import Mapping
from html import escape

import polars as pl

from pipeline_lib.report import markup

COLUMNS = (
    "videos",
    "frames/s",
    "uneven",
    "frames dropped",
    "duplicated",
    "ends after its signals, s",
    "offsets trusted",
    "video late, s",
    "moved",
)
LARGEST = 3  # recordings named for how far their video and their signals end apart
APART = 0.5  # s, from which they are


def timing_table(synced: Mapping[str, pl.DataFrame], *, min_confidence: float) -> str:
    """A row a data set.

    synced         : data set -> schema.SYNC
    min_confidence : 0-1, of an offset that is trusted
    """
    rows = []
    for dataset, table in synced.items():
        videos = table.filter(pl.col("n_frames").is_not_null())
        estimated = table.filter(pl.col("confidence").is_not_null())
        trusted = estimated.filter(pl.col("confidence") >= min_confidence)
        values = [
            str(videos.height),
            _range(videos["frame_rate"], decimals=2),
            str(videos.filter(~pl.col("constant")).height),
            str(videos["dropped"].sum()),
            str(videos["duplicated"].sum()),
            _range(videos["mismatch"], decimals=2),
            f"{trusted.height} of {estimated.height}" if estimated.height else markup.NONE,
            _range(trusted["offset"], decimals=2),
            str(table.filter(pl.col("shift") != 0).height),
        ]
        name = markup.cells([escape(dataset)], kind="name")
        rows.append(f"<tr>{name}{markup.cells(values if videos.height else _none())}</tr>")
    return markup.table(markup.head(["data set"], COLUMNS), rows) + _apart(synced)


def _none() -> list[str]:
    return ["0", *[markup.NONE] * (len(COLUMNS) - 1)]


def _range(values: pl.Series, *, decimals: int) -> str:
    """Lowest and highest of what is known."""
    known = values.drop_nulls().to_numpy()
    if not known.size:
        return markup.NONE
    return markup.span(f"{known.min():.{decimals}f}", f"{known.max():.{decimals}f}")


def _apart(synced: Mapping[str, pl.DataFrame]) -> str:
    """A sentence on the recordings whose video and signals do not end together."""
    found = [
        (abs(mismatch), f"{dataset} {name} ({mismatch:+.2f} s)")
        for dataset, table in synced.items()
        for name, mismatch in table.select("recording_id", "mismatch").drop_nulls().iter_rows()
        if abs(mismatch) > APART
    ]
    if not found:
        return ""
    named = ", ".join(text for _, text in sorted(found, reverse=True)[:LARGEST])
    return (
        f'<p class="note">{len(found)} recordings whose video and signals end more than '
        f"{APART:g} s apart, the largest first: {escape(named)}.</p>"
    )
