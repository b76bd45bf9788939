"""The contact sheet: which recordings and frames are on show, and what stands beside them."""

import base64
import io
import re

import polars as pl
import pytest
from PIL import Image

from pipeline_lib.core.schema import CROPS, LEDGER
from pipeline_lib.report.contact_sheet import chosen, contact_sheet, evenly, frames_to_show


def rows(schema, *rows_):
    """A table of a schema; what a row does not say is null."""
    empty = dict.fromkeys(schema)
    return pl.DataFrame([empty | row for row in rows_], schema=dict(schema), orient="row")


def jpeg(colour, size=200):
    buffer = io.BytesIO()
    Image.new("RGB", (size, size), colour).save(buffer, "JPEG")
    return buffer.getvalue()


def crops(name="a", *, seen=lambda frame: True, n_frames=32, outside=0.0):
    return rows(
        CROPS,
        *(
            {"recording_id": name, "crop": crop, "frame": i + 1, "time": i / 4, "face": seen(i)}
            | {"jpeg": jpeg(colour), "outside": outside}
            for crop, colour in (("large", "red"), ("small", "blue"))
            for i in range(n_frames)
        ),
    )


def ledger(*entries):
    keys = ("recording_id", "status", "reason", "frames", "faces")
    return rows(LEDGER, *(dict(zip(keys, entry, strict=True)) for entry in entries))


def pictures(html):
    data = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', html)
    return [Image.open(io.BytesIO(base64.b64decode(each))) for each in data]


def test_each_frame_is_large_over_small_and_reduced():
    found = pictures(contact_sheet(crops(), ledger(("a", "ok", "", 32, 32))))
    assert [picture.size for picture in found] == [(112, 112)] * 20
    reds = [picture.getpixel((50, 50))[0] > 200 for picture in found]
    assert reds == [True, False] * 10


def test_frames_without_a_face_are_marked_and_counted():
    table = crops(seen=lambda frame: frame != 7, outside=0.25)
    html = contact_sheet(table, ledger(("a", "partial", "/x/y.mov: 31 of 99", 32, 31)))
    assert html.count('class="unseen"') == 1
    assert "1.8 s, no face" in html
    assert "partial: y.mov: 31 of 99; a face in 31 of 32 frames; 25% of the large crop" in html


@pytest.mark.parametrize(("n_unseen", "shown"), [(0, 0), (1, 1), (3, 2), (16, 5), (32, 10)])
def test_frames_without_a_face_have_their_share_of_the_row(n_unseen, shown):
    large = crops(seen=lambda frame: frame >= n_unseen).filter(crop="large")
    found = frames_to_show(large)
    assert found.height == 10
    assert found.filter(~pl.col("face")).height == shown
    assert found["time"].is_sorted()


def test_most_faces_come_first_and_failures_last():
    tables = pl.concat([crops("few", seen=lambda frame: frame < 4), crops("many")])
    sheet = contact_sheet(
        tables,
        ledger(
            ("gone", "failed", "no <face>", None, None),
            ("few", "ok", "", 32, 4),
            ("many", "ok", "", 32, 32),
            ("other", "ok", "", 32, 32),  # not among the crops that are shown
            ("rest", "excluded", "no video", None, None),
        ),
    )
    assert re.findall("<h4>([a-z]+)", sheet) == ["many", "few", "gone"]
    assert "failed: no &lt;face&gt;" in sheet


def test_the_worst_recordings_are_among_the_chosen():
    entries = [(f"r{i:02}", "ok", "", 32, 5 if i == 17 else 32) for i in range(40)]
    found = chosen(ledger(*entries, ("none", "failed", "x", None, None)))
    assert found[0] == "r17"
    assert len(found) == 6
    assert found[-1] == "r39"


def test_a_set_without_crops_has_an_empty_sheet():
    nothing = ledger(("a", "excluded", "no video", None, None))
    assert chosen(nothing) == []
    assert contact_sheet(rows(CROPS), nothing) == ""


@pytest.mark.parametrize(("n_rows", "expected"), [(3, [0, 1, 2]), (11, [0, 3, 7, 10])])
def test_evenly_takes_first_and_last(n_rows, expected):
    assert evenly(pl.DataFrame({"i": range(n_rows)}), 4)["i"].to_list() == expected
