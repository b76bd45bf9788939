"""The files of BIDS runs: what sidecars say, units, and files that are not what they say."""

import gzip
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from pipeline_lib.datasets.bids import adapter as bids, metadata, physio
from pipeline_lib.recordings import DatasetError, Reading, RecordingError
from tests.bids_runs import (
    STEM,
    add_video,
    read,
    signal,
    write_events,
    write_json,
    write_physio,
)


@pytest.mark.parametrize(
    ("units", "eda_unit", "samples", "source"),
    [("uS", None, [4, 5], ""), ("\u03bcS", None, [4, 5], "\u03bcS"),
     ("nS", None, [0.004, 0.005], "nS"), ("mS", None, [4_000, 5_000], "mS"),
     ("Ohm", None, [250_000, 200_000], "Ohm"), ("kOhm", None, [250, 200], "kOhm"),
     ("k\u03a9", None, [250, 200], "k\u03a9"), ("M\u2126", None, [0.25, 0.2], "M\u2126"),
     ("V", "uS", [4, 5], ""), ("uS", "relative_Ohm", [-4, -5], "relative_Ohm")],
)  # fmt: skip
def test_units_of_the_eda(tmp_path, units, eda_unit, samples, source):
    write_physio(tmp_path, "EDA", [4, 5], EDA={"Units": units})
    eda = signal(tmp_path, eda_unit=eda_unit)
    np.testing.assert_allclose(eda.samples, samples)
    assert eda.unit == ("relative" if eda_unit == "relative_Ohm" else "uS")
    assert eda.source_unit == source


@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n\n", ""])
def test_blank_lines_at_the_end_are_no_samples(tmp_path, end):
    write_physio(tmp_path, "ECG", [1, 2])
    (path,) = tmp_path.rglob("*.tsv.gz")
    path.write_bytes(gzip.compress(f"4\n5\n6{end}".encode()))
    np.testing.assert_array_equal(signal(tmp_path).samples, [4, 5, 6])


def test_unit_by_site_is_refused(tmp_path):
    write_physio(tmp_path, "EDA", [4, 5])
    with pytest.raises(DatasetError, match=r"datasets\.<name>\.eda_unit to null"):
        read(tmp_path, eda_unit={"geneva": "Ohm"})


def test_columns_that_are_no_channels_may_hold_anything(tmp_path):
    write_physio(tmp_path, "cardiac", ["a\t1", "b\t2"], Columns=["message", "cardiac"])
    ppg = signal(tmp_path, heart="PPG")
    assert (ppg.channel, ppg.unit) == ("PPG", "mV")
    np.testing.assert_array_equal(ppg.samples, [1, 2])


@pytest.mark.parametrize(
    ("sidecar", "reason"),
    [
        ({"SamplingFrequency": 0}, r"SamplingFrequency is 0, outside 0\.001 - 1e\+06"),
        ({"SamplingFrequency": 10**300}, r"SamplingFrequency is 1000\d+\.\.\.0+, outside"),
        ({"SamplingFrequency": "10"}, "SamplingFrequency is '10', expected a number"),
        ({"StartTime": None}, "StartTime is None, expected a number"),
        ({"StartTime": float("nan")}, "StartTime is nan, outside"),
        ({"Columns": "EDA"}, "Columns is 'EDA', expected a list"),
        ({"Columns": ["EDA", "EDA"]}, "each once"),
        ({"Columns": ["EDA", "trigger"]}, "not .* of numbers"),
        ({"EDA": {"Units": "V"}}, r"Units of the EDA is 'V'.*datasets\.<name>\.eda_unit"),
        ({"EDA": {}}, "Units of the EDA is 'n/a'"),
        ({"EDA": "uS"}, "Units of the EDA is 'n/a'"),
    ],
)
def test_bad_sidecar_is_named(tmp_path, sidecar, reason):
    write_physio(tmp_path, "EDA", [4, 5], **sidecar)
    with pytest.raises(RecordingError, match=reason) as error:
        signal(tmp_path)
    assert str(error.value).startswith(f"{STEM}_recording-eda_physio.")


def test_an_open_quote_is_no_number(tmp_path):
    write_physio(tmp_path, "EDA", ['"', "5"])
    with pytest.raises(RecordingError, match="of numbers"):
        signal(tmp_path)


def test_more_columns_than_are_named_are_an_error(tmp_path):
    write_physio(tmp_path, "EDA", ["1\t2", "3\t4"])
    with pytest.raises(RecordingError, match=r"not .* of numbers"):
        signal(tmp_path)


def test_sidecars_are_inherited_and_overridden(tmp_path):
    write_physio(tmp_path, "EDA", [4, 5])
    beh = tmp_path / "sub-01" / "beh"
    write_json(beh / f"{STEM}_recording-eda_physio.json", {"StartTime": -1})
    write_json(beh.parent / "sub-01_physio.json", {"SamplingFrequency": 20})
    write_json(tmp_path / "task-watch_physio.json", {"SamplingFrequency": 8, "Columns": ["EDA"]})
    write_json(tmp_path / "recording-eda_physio.json", {"EDA": {"Units": "Ohm"}})
    # Of other tasks, other suffixes and other folders.
    write_json(tmp_path / "task-rest_physio.json", {"StartTime": 99, "Columns": ["ECG"]})
    write_json(tmp_path / "task-watch_eeg.json", {"StartTime": 99})
    (tmp_path / "sub-02").mkdir()
    write_json(tmp_path / "sub-02" / "task-watch_physio.json", {"StartTime": 99})
    eda = signal(tmp_path)
    assert (eda.sampling_rate, eda.start, eda.source_unit) == (20, -1, "Ohm")
    (source,) = bids.discover(tmp_path)
    assert {path.name for path in source.tables} == {
        f"{STEM}_recording-eda_physio.json", "sub-01_physio.json", "task-watch_physio.json",
        "recording-eda_physio.json",
    }  # fmt: skip


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-9]),
        lambda path: path.write_bytes(b"1\n2\n"),
        lambda path: path.write_bytes(gzip.compress(b"EDA\n1\n2\n")),  # a header line
        lambda path: path.with_name(path.name.replace("tsv.gz", "json")).unlink(),
        lambda path: path.with_name(path.name.replace("tsv.gz", "json")).write_text("{"),
        lambda path: path.with_name(path.name.replace("tsv.gz", "json")).write_text("[" * 10**5),
        lambda path: path.with_name(path.name.replace("tsv.gz", "json")).write_bytes(b"\xff"),
    ],
)
def test_bad_file_costs_its_run_only(tmp_path, spoil):
    write_physio(tmp_path, "EDA", range(1000))
    write_physio(tmp_path, "EDA", range(1000), stem="sub-02_task-watch")
    spoil(tmp_path / "sub-01" / "beh" / f"{STEM}_recording-eda_physio.tsv.gz")
    first, second = bids.discover(tmp_path)
    options = {"heart": "ECG", "eda_unit": None}
    ((_, error),) = bids.read([first], **options)
    with pytest.raises(RecordingError, match=r"^sub-01.*eda_physio"):
        raise error
    ((_, reading),) = bids.read([second], **options)
    assert reading.missing == ("no ECG", "no ratings", "no video")


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (("onset trial_type", "1 a"), "line 2: KeyError\\('duration'\\)"),
        (("onset duration", "n/a 1"), "line 2: ValueError"),
        (("onset duration", "1 2", "1 -2"), "line 3: .*duration -2 s: out of range"),
        (("onset duration", "1 nan"), "line 2: .*duration nan s: out of range"),
        (("onset duration", "1 0", "2 n/a"), " none of 2 events lasts"),
        (("onset duration valence valence", "1 2 3 4"), r" columns \['valence'\] occur twice"),
        (("onset duration valence", "1 2 open door 3"), "line 2: 5 cells in 3 columns"),
    ],
)
def test_bad_events_are_named(tmp_path, lines, reason):
    add_video(tmp_path)
    write_events(tmp_path, *lines)
    with pytest.raises(RecordingError, match=rf"^{STEM}_events\.tsv[,:].*{reason}"):
        raise read(tmp_path)[STEM]


@pytest.mark.parametrize(
    ("cell", "stimulus"),
    [('"open', '"open'), ('open"', 'open"'), ('"a"b', '"a"b'), ('"a\tb"', "a\tb"), ('"a"', "a"),
     (" a ", "a")],
)  # fmt: skip
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_quote_swallows_no_row(tmp_path, cell, stimulus, end):
    add_video(tmp_path)
    lines = ("onset\tduration\tstim_id\tvalence ", f"0\t1\t{cell}\t3", "", "2\t1\tb\t4", "\t\t\t ")
    events = tmp_path / "sub-01" / "beh" / f"{STEM}_events.tsv"
    events.write_bytes("".join(line + end for line in lines).encode("utf-8-sig"))
    assert [source.stimulus for source in bids.discover(tmp_path)] == [stimulus, "b"]
    assert [reading.ratings["valence"] for reading in read(tmp_path).values()] == [3, 4]


def test_a_quote_swallows_no_participant(tmp_path):
    write_physio(tmp_path, "ECG", [1, 2])
    (tmp_path / "sub-03").mkdir()
    (tmp_path / "participants.tsv").write_text('participant_id\tnote\nsub-02\t"5 ft\nsub-03\t"\n')
    assert [source.subject for source in bids.discover(tmp_path)] == ["sub-01", "sub-03"]


def test_bombs_are_not_unpacked(tmp_path, monkeypatch):
    write_physio(tmp_path, "ECG", [0] * 100_000)
    monkeypatch.setattr(physio, "LARGEST", 100_000)
    monkeypatch.setattr(physio, "CHUNK", 1_000)
    with pytest.raises(RecordingError, match="decompresses to more than 100000 bytes"):
        signal(tmp_path)


@pytest.mark.parametrize(
    ("limit", "value", "reason"),
    [("LARGEST", 100, "larger than 100 bytes"), ("MOST_ROWS", 3, "more than 3 rows"),
     ("MOST_COLUMNS", 1, "more than 1 columns")],
)  # fmt: skip
def test_tables_have_limits(tmp_path, monkeypatch, limit, value, reason):
    add_video(tmp_path)
    write_events(tmp_path, "onset duration", *["1 1"] * 100)
    monkeypatch.setattr(metadata, limit, value)
    with pytest.raises(RecordingError, match=rf"^{STEM}_events\.tsv: {reason}"):
        raise read(tmp_path)[STEM]


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
SIDECARS = st.dictionaries(
    st.sampled_from(["SamplingFrequency", "StartTime", "Columns", "EDA", "valence"]),
    ANYTHING | st.sampled_from([["EDA"], 1e308, -1e10, {"Units": "Ohm"}, {"Levels": {}}]),
)
CELL = st.sampled_from(
    ["n/a", "", "1", "-1", "1e308", "nan", "inf", '"', "\t", "\n", "\x00"]
) | st.text(max_size=4)


@settings(max_examples=200, deadline=None)
@given(SIDECARS, SIDECARS, st.lists(CELL, max_size=20), st.lists(CELL, max_size=20))
def test_whatever_the_files_hold_is_a_reading_or_a_reason(sidecar, scales, rows, cells):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_physio(root, "EDA", [*rows, 1, 2], **sidecar)
        add_video(root, StartTime=0)
        write_events(root, "onset duration valence", "0 1 5", scales=scales)
        with (root / "sub-01" / "beh" / f"{STEM}_events.tsv").open("a", newline="") as file:
            file.write("\t".join(cells))
        for reading in read(root).values():
            assert isinstance(reading, Reading | RecordingError)
