"""The quality page: what it shows, the same every time, and nothing from anywhere."""

import re

import polars as pl
import pytest

from pipeline_lib.core import schema
from pipeline_lib.quality import page, pictures, trouble
from pipeline_lib.quality.facts import CHANNELS, CHECKED, VIDEOS, Facts
from pipeline_lib.quality.summary import summarise
from pipeline_lib.recordings import Official


def rows(schema_, *rows_):
    """A table of a schema; what a row does not say is null."""
    empty = dict.fromkeys(schema_)
    return pl.DataFrame([empty | row for row in rows_], schema=dict(schema_), orient="row")


def recording(i, j, **changes):
    name = {"recording_id": f"P{i}_{j}", "subject": f"P{i}", "trial": f"{j}"}
    return (
        name | {"status": "ok", "reason": "", "duration": 60.0, "video": f"{i}_{j}.mov"} | changes
    )


def facts(*recordings):
    names = [row["recording_id"] for row in recordings]
    rated = [
        {"recording_id": n, "name": "valence", "value": i % 9 + 1.0} for i, n in enumerate(names)
    ]
    eda = {"channel": "EDA", "unit": "uS", "source_unit": "Ohm", "sampling_rate": 128.0}
    avi = {"codec": "h264", "width": 720, "height": 576, "frame_rate": 50.0, "duration": 59.0}
    return Facts(
        rows(CHECKED, *recordings),
        rows(CHANNELS, *({"recording_id": n, "length": 7680} | eda for n in names)),
        rows(schema.RATINGS, *rated),
        rows(VIDEOS, *({"video": n, "announced": 2950} | avi for n in names)),
    )


TROUBLED = facts(
    recording(1, 1, signals_content="x"),
    recording(1, 2, status="partial", reason="/home/me/1_2.mov: 0 bytes"),
    recording(2, 1, signals_content="x"),
    recording(2, 2, status="excluded", reason="<b>NaN</b>"),
)


def render(found=TROUBLED, *, synthetic=True):
    official = Official(subjects=40, recordings=4, videos=3, source="Owners & co., 2021")
    return page.render(
        summarise(found, dataset="amigos", official=official, threshold=4.5, synthetic=synthetic)
    )


def table(html, title):
    """Text of the cells of each row of the table under a title."""
    body = html.split(f"<h2>{title}</h2>")[1].split("</section>")[0].split("<tbody>")[1]
    return [
        [re.sub("<[^>]+>", " ", cell).split() for cell in re.findall("<td.*?</td>", row)]
        for row in re.findall("<tr.*?</tr>", body)
    ]


def test_same_facts_same_bytes():
    shuffled = Facts(TROUBLED.recordings.reverse(), TROUBLED.channels, TROUBLED.ratings,
                     TROUBLED.videos)  # fmt: skip
    assert render(shuffled) == render()


def test_nothing_is_loaded_and_no_folder_told():
    html = render()
    assert not re.findall(r"https?:|url\(|<script|<link|<img|(?:src|href)=", html)
    assert "default-src 'none'" in html
    assert "/home" not in html
    assert "<b>NaN" not in html


@pytest.mark.parametrize("synthetic", [True, False])
def test_a_twin_is_called_synthetic(synthetic):
    assert ("synthetic" in render(synthetic=synthetic)) == synthetic


def test_counts_say_by_how_much_they_differ():
    html = render()
    subjects, recordings, videos = table(html, "Counts")
    assert subjects == [["subjects"], ["40"], ["2"], ["-38"], ["2"]]
    assert recordings[3:] == [["none"], ["3"]]
    assert videos[3] == ["+1"]
    assert [html.count(f'class="{kind}"') for kind in ("less", "more", "same")] == [1, 2, 1]
    assert "Owners &amp; co., 2021" in html


def test_reasons_copies_signals_and_videos_are_told():
    html = render()
    excluded, partial = table(html, "Why recordings are not ok")
    assert excluded == [["excluded"], ["1"], ["&lt;b&gt;NaN&lt;/b&gt;"], ["P2_2"]]
    assert partial[2] == ["1_2.mov:", "0", "bytes"]
    assert table(html, "Copies") == [[["signals"], ["2"], ["2"], ["1"], ["P1_1,", "P2_1"]]]
    (eda,) = table(html, "Signals")
    assert eda[2:] == [["128", "Hz"], ["uS", "converted", "from", "Ohm"], ["60", "s"]]
    (avi,) = table(html, "Videos")
    assert avi[1:] == [["4"], ["720", "x", "576"], ["50", "Hz"], ["59", "s"], ["11,800"]]


def test_a_cell_of_the_grid_tells_its_reason():
    html = render()
    assert "<title>P1, 2: partial; 1_2.mov: 0 bytes</title>" in html
    assert f'fill="{pictures.NOTHING}"' in html
    assert ">1/2</text>" in html  # usable of P2


@pytest.mark.parametrize(("subjects", "trials"), [(40, 16), (32, 40), (200, 150), (1, 1)])
def test_every_size_of_grid_has_all_its_cells_inside_the_picture(subjects, trials):
    failed = trouble.Cell("failed", "gone")
    cells = {f"P{i}": (failed,) * trials for i in range(subjects)}
    svg = pictures.grid(trouble.Grid(tuple(map(str, range(trials))), cells), usable=("ok",))
    found = [tuple(map(int, place)) for place in re.findall(r'<rect x="(\d+)" y="(\d+)"', svg)]
    width, height = map(int, re.search(r'viewBox="0 0 (\d+) (\d+)"', svg).groups())
    assert len(set(found)) == subjects * trials
    assert max(x for x, _ in found) < width <= 1200
    assert max(y for _, y in found) < height


def test_a_set_of_thousands_is_shown_by_split():
    many = [recording(i, i, split="train" if i % 3 else "test") for i in range(300)]
    html = render(facts(*many))
    assert '<svg class="grid"' not in html
    train, test = table(html, "Recordings")
    assert (train[0], train[1], test[1]) == (["train"], ["200"], ["100"])
    assert train[2] == ["200", "ok"]


def test_many_recordings_of_a_reason_are_folded_away():
    html = render(
        facts(*(recording(i, 1, **{"status": "failed", "reason": "x"}) for i in range(9)))
    )
    assert "P5_1 and 3 more</summary>P6_1, P7_1, P8_1</details>" in html


def test_a_set_without_signals_videos_ratings_or_trouble_says_so():
    empty = rows(CHANNELS), rows(schema.RATINGS), rows(VIDEOS)
    html = render(Facts(rows(CHECKED, recording(1, 1, video=None)), *empty))
    for words in ("Every one is ok", "No content occurs twice", "No recording has signals",
                  "No recording has a video", "No recording is rated"):  # fmt: skip
        assert words in html
