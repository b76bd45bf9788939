"""Contact sheets: crops of some recordings of a data set, to be looked at."""

import base64
import io
from collections.abc import Iterable
from html import escape
from typing import Any

import numpy as np
import polars as pl
from PIL import Image

from pipeline_lib.report import markup

RECORDINGS = 6  # of a data set on show
WORST = 2  # of them those with the smallest share of faces
FRAMES = 10  # of a recording: a row of the sheet
WITHOUT_FACE = 2  # of them at least, if there are any
THUMBNAIL = 112  # px
QUALITY = 80  # percent, of their JPEGs


def chosen(ledger: pl.DataFrame) -> list[str]:
    """Recordings to show: those with the fewest faces, then others evenly over the data set.

    ledger : schema.LEDGER of the crops; recordings without crops are not chosen
    """
    shown = ledger.filter(pl.col("frames") > 0)
    by_share = shown.sort(pl.col("faces") / pl.col("frames"), maintain_order=True)
    worst = by_share.filter(pl.col("faces") < pl.col("frames")).head(WORST)["recording_id"]
    others = shown.filter(~pl.col("recording_id").is_in(worst.to_list()))
    return [*worst, *evenly(others, RECORDINGS - len(worst))["recording_id"]]


def contact_sheet(crops: pl.DataFrame, ledger: pl.DataFrame) -> str:
    """Large and small crops of recordings over time, or why there are none.

    crops  : schema.CROPS of the recordings to show
    ledger : schema.LEDGER of the stage that made them; most faces come first, last some that failed
    """
    shown = pl.col("recording_id").is_in(crops["recording_id"].unique().to_list())
    failed = ledger.filter(~shown, status="failed")
    rows = pl.concat([ledger.filter(shown), evenly(failed, WORST)])
    ordered = rows.sort(pl.col("faces").fill_null(0), "recording_id", descending=[True, False])
    return "".join(
        _sheet(entry, crops.filter(recording_id=entry["recording_id"]))
        for entry in ordered.to_dicts()
    )


def evenly(table: pl.DataFrame, n: int) -> pl.DataFrame:
    """At most n rows of a table, evenly spaced, the first and the last among them."""
    if table.is_empty():
        return table
    return table[np.unique(np.linspace(0, table.height - 1, n).round().astype(int))]


def frames_to_show(crops: pl.DataFrame) -> pl.DataFrame:
    """Frames of one recording, evenly spaced among those with a face and those without.

    crops : schema.CROPS of one recording and one of its crops
    """
    ordered = crops.sort("time")
    seen, unseen = ordered.filter("face"), ordered.filter(~pl.col("face"))
    share = round(FRAMES * unseen.height / max(ordered.height, 1))
    n_unseen = min(unseen.height, max(share, WITHOUT_FACE))
    return pl.concat([evenly(seen, FRAMES - n_unseen), evenly(unseen, n_unseen)]).sort("time")


def _sheet(entry: dict[str, Any], crops: pl.DataFrame) -> str:
    """A recording's heading and its frames, each the large crop over the small one."""
    large = crops.filter(crop="large")
    small = {row["frame"]: row["jpeg"] for row in crops.filter(crop="small").to_dicts()}
    faces = "".join(
        _frame(row, [jpeg for jpeg in (row["jpeg"], small.get(row["frame"])) if jpeg])
        for row in frames_to_show(large).to_dicts()
    )
    return (
        f'<div class="sheet"><h4>{escape(entry["recording_id"])} '
        f"<span>{'; '.join(_facts(entry, large))}</span></h4>"
        f'<div class="faces">{faces}</div></div>'
    )


def _facts(entry: dict[str, Any], large: pl.DataFrame) -> list[str]:
    facts = []
    if entry["reason"]:
        facts.append(f"{entry['status']}: {escape(markup.without_folders(entry['reason']))}")
    if large.height:
        facts.append(f"a face in {large['face'].sum()} of {large.height} frames")
    outside = large["outside"].mean()
    if isinstance(outside, float) and outside >= 0.005:
        facts.append(f"{outside:.0%} of the large crop lies beyond the picture")
    return facts


def _frame(row: dict[str, Any], jpegs: Iterable[bytes]) -> str:
    unseen = "" if row["face"] else ' class="unseen"'
    images = "".join(f'<img alt="" src="{thumbnail(jpeg)}">' for jpeg in jpegs)
    caption = f"{row['time']:.1f} s" if row["face"] else f"{row['time']:.1f} s, no face"
    return f"<figure{unseen}>{images}<figcaption>{caption}</figcaption></figure>"


def thumbnail(jpeg: bytes) -> str:
    """A small copy as a data URI: at the papers' scale the page would grow by megabytes."""
    small = io.BytesIO()
    with Image.open(io.BytesIO(jpeg)) as image:
        image.thumbnail((THUMBNAIL, THUMBNAIL))
        image.save(small, "JPEG", quality=QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(small.getvalue()).decode()}"
