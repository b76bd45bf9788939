"""Table 2: what is counted, and what is always shown as published."""

import re

import polars as pl

from pipeline_lib.core import schema
from pipeline_lib.report.videos import Videos, table_2


def synced(*seconds):
    """schema.SYNC; None: no video."""
    rows = [
        dict.fromkeys(schema.SYNC) | {"n_frames": s and int(25 * s), "video_seconds": s}
        for s in seconds
    ]
    return pl.DataFrame(rows, schema=dict(schema.SYNC), orient="row")


def cells(html):
    body = html.split("<tbody>")[1]
    return [
        [re.sub("<[^>]+>", "", cell) for cell in re.findall("<td.*?</td>", row)]
        for row in re.findall("<tr.*?</tr>", body)
    ]


def test_only_what_was_decoded_is_counted():
    assert Videos.of(synced(10.0, None, 5.0), synthetic=True) == Videos(2, 15.0, 2)
    assert Videos.of(synced(None), synthetic=False) == Videos(0, 0.0, 0)


def test_ours_stands_under_the_published_row_and_corpora_are_sums():
    videos = {"amigos": Videos(2, 15.0, 2), "kinetics": Videos(3, 15.0, 0)}
    corpora = {"k400": ["kinetics"], "kad": ["kinetics", "amigos"]}
    table = cells(table_2(videos, corpora))
    assert table[:2] == [
        ["AMIGOS", "published", "640", "80 s", "Lab"],
        ["", "ours", "2", "7.5 s", "synthetic"],
    ]
    assert table[-2:] == [
        ["KAD", "published", "307765", "&ndash;", "Multi-source"],
        ["", "ours", "5", "6.0 s", "kinetics, amigos: 2 synthetic, the others real"],
    ]
    assert not any(row[0] == "k400" for row in table)


def test_published_rows_stand_without_ours():
    table = cells(table_2({"mine": Videos(0, 0.0, 0)}, {}))
    assert table[0] == ["mine", "ours", "0", "&ndash;", "&ndash;"]
    assert [row[0] for row in table[1:]] == ["Kinetics-400", "AMIGOS", "DEAP", "KAD"]
