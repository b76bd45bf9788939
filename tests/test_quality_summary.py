"""The summary of a data set: counts, reasons, copies, grid and ratings of hand-made tables."""

import json
from dataclasses import asdict

import numpy as np
import polars as pl
import pytest

from pipeline_lib.core import schema
from pipeline_lib.quality import contents, facts, trouble
from pipeline_lib.quality.facts import CHANNELS, CHECKED, VIDEOS, Facts
from pipeline_lib.quality.summary import Count, summarise
from pipeline_lib.recordings import Official, Source

OFFICIAL = Official(subjects=3, recordings=6, videos=4, source="the owners")


def rows(schema_, *rows_):
    """A table of a schema; what a row does not say is null."""
    empty = dict.fromkeys(schema_)
    return pl.DataFrame([empty | row for row in rows_], schema=dict(schema_), orient="row")


def checked(*recordings):
    """facts.CHECKED of (subject, trial, what differs from an ok recording with its own video)."""
    return rows(
        CHECKED,
        *(
            {"recording_id": f"{subject}_{trial}", "subject": subject, "trial": trial}
            | {"status": "ok", "reason": "", "video": f"{subject}_{trial}.avi"}
            | {"video_content": f"film of {subject}_{trial}"}
            | changes
            for subject, trial, changes in recordings
        ),
    )


def bad(status, reason):
    return {"status": status, "reason": reason}


RECORDINGS = checked(
    ("P1", "2", {"duration": 60.0}),
    ("P1", "10", {"duration": 62.0} | bad("partial", "no P1_10.avi") | {"video": None}),
    ("P2", "2", {"duration": 61.0, "split": "test"}),
    ("P2", "10", bad("excluded", "ECG: 7 of 9 samples are NaN") | {"video_content": None}),
    ("P10", "2", bad("failed", "P10_2.avi: 0 bytes") | {"video_content": None}),
)
RATINGS = rows(
    schema.RATINGS,
    *({"recording_id": "P1_2", "name": n, "value": v} for n, v in (("valence", 4.5), ("joy", 0.2))),
    {"recording_id": "P2_2", "name": "valence", "value": 4.6},
)


def summary(recordings=RECORDINGS, *, official=OFFICIAL, channels=(), ratings=RATINGS):
    return summarise(
        Facts(recordings, rows(CHANNELS, *channels), ratings, rows(VIDEOS)),
        dataset="deap",
        official=official,
        threshold=4.5,
        synthetic=False,
    )


def test_counts_are_official_found_and_usable():
    assert summary().counts == (
        Count("subjects", 3, 3, 2),
        Count("recordings", 6, 5, 3),
        Count("videos", 4, 4, 2),
    )


def test_without_official_counts_there_are_none():
    assert [count.official for count in summary(official=None).counts] == [None] * 3


def test_a_video_that_recordings_share_is_one():
    run = {"video": "run.mp4", "video_content": "run"}
    shared = summary(checked(("s1", "1", run), ("s1", "2", run)))
    assert shared.counts[2] == Count("videos", 4, 1, 1)
    assert shared.copies == ()


def test_statuses_and_durations():
    found = summary()
    assert found.statuses == {"ok": 2, "partial": 1, "excluded": 1, "failed": 1}
    assert (found.usable, found.found) == (3, 5)
    assert found.durations == contents.Spread(3, 60.0, 61.0, 62.0)


def test_splits_have_statuses_and_rated_recordings():
    test, rest = summary().parts
    assert (test.name, test.statuses["ok"], test.rated) == ("test", 1, 1)
    assert (rest.name, sum(rest.statuses.values()), rest.rated) == ("no split", 4, 1)


def test_channels_are_counted_by_rate_and_unit():
    eda = {"channel": "EDA", "unit": "uS", "sampling_rate": 100.0, "length": 6000}
    channels = [
        {"recording_id": "a", "source_unit": "Ohm"} | eda,
        {"recording_id": "b", "source_unit": "Ohm"} | eda | {"length": 5000},
        {"recording_id": "c", "source_unit": ""} | eda,
    ]
    same, converted = summary(channels=channels).channels
    assert (same.source_unit, same.seconds.n) == ("", 1)
    assert (converted.source_unit, converted.sampling_rate) == ("Ohm", 100.0)
    assert converted.seconds == contents.Spread(2, 50.0, 55.0, 60.0)


def test_a_rating_on_the_threshold_is_label_0():
    valence, joy = summary().ratings
    assert (valence.name, valence.labels) == ("valence", (1, 1))
    assert [bar.counts for bar in valence.bars] == [(1, 0), (0, 1)]
    assert (joy.labels, joy.values.n) == (None, 1)


def test_histogram_is_numpys_and_its_edges_belong_below():
    x = np.random.default_rng(0).uniform(1, 9, 500).round(2)
    found = list(contents.bars(x))
    expected, edges = np.histogram(-x, np.linspace(-9, -1, 17))  # half open on the other side
    assert [bar.counts[0] for bar in found] == expected[::-1].tolist()
    assert [bar.low for bar in found] == (-edges[:0:-1]).tolist()


def test_equal_reasons_stand_together_with_their_recordings():
    recordings = checked(
        ("P2", "1", bad("partial", "no P2_1.avi; no self-assessment")),
        ("P10", "3", bad("partial", "no P10_3.avi")),
        ("P1", "1", bad("excluded", "no self-assessment")),
    )
    assert trouble.reasons(recordings) == [
        trouble.Reason("partial", "no *.avi", "no P2_1.avi", ("P2_1", "P10_3")),
        trouble.Reason("excluded", "no self-assessment", "no self-assessment", ("P1_1",)),
        trouble.Reason("partial", "no self-assessment", "no self-assessment", ("P2_1",)),
    ]


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("ECG: 1280 of 1280 samples are NaN", "ECG: # of # samples are NaN"),
        ("valence is rated -1.5, outside 1 - 9", "valence is rated #, outside # - #"),
        ("data/a b/s01_trial02.avi: cannot be read", "data/a *.avi: cannot be read"),
        ("-x_Yz.mp4: no frame decodes. Again", "*.mp4: no frame decodes. Again"),
    ],
)
def test_pattern_leaves_out_numbers_and_files(reason, expected):
    assert trouble.pattern(reason) == expected


def test_copies_are_of_different_files_or_of_equal_signals():
    film, pulse = {"video_content": "f"}, {"signals_content": "p"}
    found = trouble.copies(
        checked(
            ("P1", "1", film | {"split": "train"}),
            ("P1", "2", film | {"split": "test"}),
            ("P2", "1", pulse),
            ("P1", "3", pulse),
        )
    )
    assert found == [
        trouble.Copies("signals", ("P1_3", "P2_1"), subjects=2, splits=1),
        trouble.Copies("video", ("P1_1", "P1_2"), subjects=1, splits=2),
    ]


def test_grid_has_a_cell_for_each_subject_and_trial_in_natural_order():
    table = summary().grid
    assert table.trials == ("2", "10")
    assert {name: [cell.status for cell in row] for name, row in table.rows.items()} == {
        "P1": ["ok", "partial"],
        "P2": ["ok", "excluded"],
        "P10": ["failed", ""],
    }
    assert table.rows["P10"][0].reason == "P10_2.avi: 0 bytes"


def test_of_two_recordings_in_a_cell_the_worst_is_shown():
    twice = (
        ("P1", "1", {"recording_id": "b"}),
        ("P1", "1", {"recording_id": "a"} | bad("failed", "x")),
    )
    assert trouble.grid(checked(*twice)).rows["P1"] == (trouble.Cell("failed", "x"),)


def test_a_set_of_thousands_has_no_grid_but_parts():
    many = checked(*((f"{i}", "clip", {"split": "train"}) for i in range(201)))
    assert summary(many).grid is None
    assert summary(many).parts[0].statuses["ok"] == 201


def test_a_summary_is_json():
    text = json.dumps(asdict(summary()), allow_nan=False)
    assert json.loads(text)["counts"][1] == asdict(Count("recordings", 6, 5, 3))


def test_ingest_knows_no_file_of_what_it_excludes_but_the_sources_do(tmp_path):
    sources = [
        Source(f"P1_{i}", "P1", str(i), str(i), None, None, tmp_path / f"{i}.avi") for i in (1, 2)
    ]
    read = {"recording_id": "P1_1", "subject": "P1", "trial": "1", "status": "ok", "reason": ""}
    excluded = {"recording_id": "P1_2", "subject": "P1", "trial": "2", "status": "excluded"}
    index = rows(schema.RECORDINGS, read | {"video": "1.avi", "video_sha256": "f"}, excluded)
    found = facts.ingested(index, RATINGS, rows(CHANNELS), sources, root=tmp_path)
    kept = found.recordings.select("video", "video_content").rows()
    assert kept == [("1.avi", "f"), ("2.avi", None)]


def test_length_stands_for_samples():
    signal = {"recording_id": "a", "channel": "ECG", "unit": "mV", "sampling_rate": 2.0}
    table = rows(schema.SIGNALS, signal | {"samples": [1.0, 2.0, 3.0]})
    assert facts.channels(table).select("channel", "length").rows() == [("ECG", 3)]
