"""The BIDS adapter on hand-made runs: clocks, rates, events, gaps."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from pipeline_lib.datasets.bids import adapter as bids
from pipeline_lib.recordings import DatasetError, Reading, RecordingError

STEM = "sub-01_task-watch_run-01"


def write_physio(
    root: Path, column: str, rows: list[object], *, stem: str = STEM, name: str = "", **sidecar
) -> None:
    """rows of one column; sidecar of 10 Hz from 0 s unless said otherwise."""
    base = root / stem.split("_")[0] / "beh" / f"{stem}_recording-{name or column.lower()}_physio"
    base.parent.mkdir(parents=True, exist_ok=True)
    sidecar = {"SamplingFrequency": 10, "StartTime": 0, "Columns": [column]} | sidecar
    sidecar.setdefault(column, {"Units": "uS" if column == "EDA" else "mV"})
    Path(f"{base}.json").write_text(json.dumps(sidecar))
    text = "".join(f"{row}\n" for row in rows)
    Path(f"{base}.tsv.gz").write_bytes(gzip.compress(text.encode()))


def write_events(root: Path, *lines: str) -> None:
    path = root / "sub-01" / "beh" / f"{STEM}_events.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(line.replace(" ", "\t") + "\n" for line in lines))


def add_video(root: Path, suffix: str = ".mp4", **sidecar) -> None:
    base = root / "sub-01" / "beh" / f"{STEM}_video"
    base.parent.mkdir(parents=True, exist_ok=True)
    base.with_suffix(suffix).touch()
    if sidecar:
        base.with_suffix(".json").write_text(json.dumps(sidecar))


def read(root: Path, **options) -> dict[str, Reading | RecordingError]:
    options = {"heart": "ECG", "eda_unit": None} | options
    return {s.recording_id: r for s, r in bids.read(bids.discover(root), **options)}


def test_run_without_events_is_one_recording(tmp_path):
    write_physio(tmp_path, "ECG", [0.5, 1.5, 2.5, 3.5], StartTime=-0.2)
    write_physio(tmp_path, "EDA", [1, 2], SamplingFrequency=4)
    add_video(tmp_path, StartTime=0.25)
    ((recording_id, reading),) = read(tmp_path).items()
    assert recording_id == STEM
    ecg, eda = reading.signals
    assert (ecg.channel, ecg.unit, ecg.sampling_rate, ecg.start) == ("ECG", "mV", 10, -0.2)
    assert (eda.channel, eda.unit, eda.sampling_rate, eda.start) == ("EDA", "uS", 4, 0)
    np.testing.assert_array_equal(ecg.samples, [0.5, 1.5, 2.5, 3.5])
    assert (reading.video_start, reading.duration) == (0.25, 0.5)
    assert reading.missing == ("no ratings",)


def test_events_cut_the_run(tmp_path):
    write_physio(tmp_path, "ECG", list(range(100)), StartTime=-1.0)
    write_physio(tmp_path, "EDA", list(range(40)), SamplingFrequency=4)
    add_video(tmp_path, ".mov", StartTime=0.5)
    write_events(tmp_path, "onset duration trial_type stim_id valence arousal",
                 "2.0 1.0 happy a 7.5 3", "4.05 1.0 sad n/a n/a n/a")  # fmt: skip
    first, second = bids.discover(tmp_path)
    assert (first.trial, first.stimulus, first.order) == ("task-watch_run-01_01", "a", 1)
    assert (second.trial, second.stimulus, second.order) == ("task-watch_run-01_02", "sad", 2)
    one, two = read(tmp_path).values()
    ecg, eda = one.signals
    # The onset is 3 s after the ECG's start, 2 s after the EDA's: less than the 5 s of lead-in.
    np.testing.assert_array_equal(ecg.samples, np.arange(0, 40))
    np.testing.assert_array_equal(eda.samples, np.arange(0, 12))
    assert (ecg.start, eda.start, one.video_start, one.duration) == (-3, -2, -1.5, 1)
    assert one.ratings == {"valence": 7.5, "arousal": 3}
    assert two.signals[0].start == pytest.approx(-4.95)  # 5 s before the first after the onset
    np.testing.assert_array_equal(two.signals[0].samples, np.arange(1, 61))
    assert (two.ratings, two.missing) == ({}, ("no ratings",))


def test_sources_depend_on_all_files_of_their_run(tmp_path):
    write_physio(tmp_path, "ECG", [1, 2])
    write_physio(tmp_path, "EDA", [1, 2])
    add_video(tmp_path, StartTime=0)
    write_events(tmp_path, "onset duration", "0 0.2")
    (source,) = bids.discover(tmp_path)
    files = {source.signals, source.video, *source.tables}
    assert files == {path for path in tmp_path.rglob("*") if path.is_file()}


def test_gaps_are_partial(tmp_path):
    add_video(tmp_path)
    reading = read(tmp_path)[STEM]
    assert reading.missing == ("no ECG", "no EDA", "no ratings")
    assert (reading.video_start, reading.duration) == (0, None)
    write_physio(tmp_path, "PPG", [1, 2])
    assert read(tmp_path)[STEM].signals == ()
    assert read(tmp_path, heart="PPG")[STEM].signals[0].channel == "PPG"


def test_missing_values_are_no_zeros(tmp_path):
    write_physio(tmp_path, "ECG", [1, "n/a", *range(10)])
    write_events(tmp_path, "onset duration", "0 0.5", "0.5 0.5")
    first, second = read(tmp_path).values()
    assert str(first) == "ECG: 1 of 5 samples are NaN"
    # Its lead-in begins after the gap, which lies in the first event.
    np.testing.assert_array_equal(second.signals[0].samples, np.arange(0, 8))


@pytest.mark.parametrize(
    ("units", "eda_unit", "samples"),
    [("uS", None, [4, 5]), ("\u03bcS", None, [4, 5]), ("nS", None, [0.004, 0.005]),
     ("Ohm", None, [250_000, 200_000]), ("V", "uS", [4, 5]), ("uS", "relative_Ohm", [-4, -5])],
)  # fmt: skip
def test_units_of_the_eda(tmp_path, units, eda_unit, samples):
    write_physio(tmp_path, "EDA", [4, 5], EDA={"Units": units})
    (signal,) = read(tmp_path, eda_unit=eda_unit)[STEM].signals
    np.testing.assert_allclose(signal.samples, samples)


@pytest.mark.parametrize(
    ("sidecar", "reason"),
    [
        ({"SamplingFrequency": 0}, "SamplingFrequency is 0, must be above 0 Hz"),
        ({"SamplingFrequency": "10"}, "SamplingFrequency is '10', expected a number"),
        ({"StartTime": None}, "StartTime is None, expected a number"),
        ({"Columns": "EDA"}, "Columns is 'EDA', expected a list"),
        ({"Columns": ["EDA", "trigger"]}, "not .* of numbers"),
        ({"EDA": {"Units": "kOhm"}}, r"Units of the EDA is 'kOhm'.*datasets\.<name>\.eda_unit"),
        ({"EDA": {}}, "Units of the EDA is 'n/a'"),
    ],
)
def test_bad_sidecar_is_named(tmp_path, sidecar, reason):
    write_physio(tmp_path, "EDA", [4, 5], **sidecar)
    with pytest.raises(RecordingError, match=reason) as error:
        raise read(tmp_path)[STEM]
    assert str(error.value).startswith(f"{STEM}_recording-eda_physio.")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-9]),
        lambda path: path.write_bytes(b"1\n2\n"),
        lambda path: path.write_bytes(gzip.compress(b"EDA\n1\n2\n")),  # a header line
        lambda path: path.with_name(path.name.replace("tsv.gz", "json")).unlink(),
        lambda path: path.with_name(path.name.replace("tsv.gz", "json")).write_text("{"),
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
        (("onset duration", "1 n/a"), "line 2: ValueError"),
        (("onset duration", "1 -2"), "duration -2"),
        (("onset duration valence arousal", "1 2 high 3"), "line 2: ValueError"),
    ],
)
def test_bad_events_are_named(tmp_path, lines, reason):
    add_video(tmp_path)
    write_events(tmp_path, *lines)
    with pytest.raises(RecordingError, match=rf"^{STEM}_events\.tsv, .*{reason}"):
        raise read(tmp_path)[STEM]


def test_event_outside_the_recording_is_empty(tmp_path):
    write_physio(tmp_path, "ECG", range(10))
    write_events(tmp_path, "onset duration", "5 1")
    assert str(read(tmp_path)[f"{STEM}_01"]) == "ECG is empty"


def test_channel_that_occurs_twice_is_ambiguous(tmp_path):
    write_physio(tmp_path, "EDA", [1, 2])
    write_physio(tmp_path, "EDA", [1, 2], name="gsr")
    assert "one occurs twice" in str(read(tmp_path)[STEM])


def test_events_alone_are_nothing_recorded(tmp_path):
    write_events(tmp_path, "onset duration", "5 1")
    assert "nothing recorded" in str(read(tmp_path)[f"{STEM}_01"])


def test_two_videos_of_a_run_are_refused(tmp_path):
    add_video(tmp_path, ".mp4")
    add_video(tmp_path, ".mov")
    with pytest.raises(DatasetError, match="keep one"):
        bids.discover(tmp_path)


def test_wrong_root_is_explained(tmp_path):
    for root, reason in ((tmp_path / "none", "no such folder"), (tmp_path, "empty folder")):
        with pytest.raises(DatasetError, match=rf"{root}: {reason}.*datasets\.<name>\.root"):
            bids.discover(root)
    (tmp_path / "dataset_description.json").touch()
    with pytest.raises(DatasetError, match="no BIDS runs"):
        bids.discover(tmp_path)
