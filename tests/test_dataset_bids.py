"""The BIDS adapter on hand-made runs: names, clocks, rates, events, ratings, gaps."""

import shutil

import numpy as np
import pytest

from pipeline_lib.datasets.bids import adapter as bids
from pipeline_lib.recordings import DatasetError
from tests.bids_runs import SCALES, STEM, add_video, read, write_events, write_physio


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
    assert (one.ratings, one.missing) == ({"valence": 7.5, "arousal": 3}, ())
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
    assert str(first).startswith("ECG: 1 of 5 samples are NaN; no EDA")
    # Its lead-in begins after the gap, which lies in the first event.
    np.testing.assert_array_equal(second.signals[0].samples, np.arange(0, 8))


def test_no_heart_is_asked_for(tmp_path):
    write_physio(tmp_path, "ECG", [1, 2])
    add_video(tmp_path)
    (reading,) = read(tmp_path, heart=None).values()
    assert (reading.signals, reading.missing) == ((), ("no EDA", "no ratings"))


def test_runs_are_told_apart_by_all_entities(tmp_path):
    stems = ("sub-01_ses-a_task-watch_acq-low_run-1", "sub-01_ses-a_task-watch_acq-low_run-2",
             "sub-01_ses-a_task-watch_acq-high_run-1", "sub-01_ses-b_task-watch_acq-low_run-1",
             "sub-01_ses-a_task-rest_acq-low_run-1")  # fmt: skip
    for value, stem in enumerate(stems):
        write_physio(tmp_path, "ECG", [value, 9], stem=stem)
    sources = bids.discover(tmp_path)
    assert {(s.subject, s.trial) for s in sources} == {
        ("sub-01", stem.removeprefix("sub-01_")) for stem in stems
    }
    for value, stem in enumerate(stems):
        (source,) = (s for s in sources if s.recording_id == stem)
        ((_, reading),) = bids.read([source], heart="ECG", eda_unit=None)
        np.testing.assert_array_equal(reading.signals[0].samples, [value, 9])


def test_folders_do_not_matter_but_for_what_was_made_of_the_data(tmp_path):
    write_physio(tmp_path, "ECG", [1, 2])
    write_physio(tmp_path, "EDA", [1, 2])
    for name in ("derivatives/clean", "sourcedata", ".git"):
        shutil.copytree(tmp_path / "sub-01", tmp_path / name / "sub-01")
    shutil.move(tmp_path / "sub-01" / "beh", tmp_path / "sub-01" / "ses-1" / "func")
    (reading,) = read(tmp_path).values()
    assert [s.channel for s in reading.signals] == ["ECG", "EDA"]


def test_links_to_nothing_are_not_there(tmp_path):
    write_physio(tmp_path, "ECG", [1, 2])
    beh = tmp_path / "sub-01" / "beh"
    (beh / f"{STEM}_video.mp4").symlink_to(tmp_path / ".git" / "annex" / "MD5E-s1--0.mp4")
    (beh / "round").symlink_to(beh)
    (reading,) = read(tmp_path).values()
    assert reading.missing == ("no EDA", "no ratings", "no video")


def test_moments_are_no_trials(tmp_path):
    add_video(tmp_path)
    write_events(tmp_path, "onset duration trial_type", "1 n/a key", "2 1 film", "3 0 key")
    (source,) = bids.discover(tmp_path)
    assert (source.stimulus, source.order) == ("film", 1)
    assert read(tmp_path)[f"{STEM}_01"].video_start == -2


def test_events_of_a_task_hold_for_all_who_have_none(tmp_path):
    write_physio(tmp_path, "ECG", range(100))
    write_events(tmp_path, "onset duration stim_id", "2 1 own")
    write_physio(tmp_path, "ECG", range(100), stem="sub-02_task-watch_run-01")
    (tmp_path / "task-watch_events.tsv").write_text("onset\tduration\tstim_id\n4\t1\tshared\n")
    assert [s.stimulus for s in bids.discover(tmp_path)] == ["own", "shared"]


def test_all_ratings_with_a_scale_are_read(tmp_path):
    add_video(tmp_path)
    scales = SCALES | {
        "dominance": {"Minimum": 0, "Maximum": 10},
        "liking": {"Levels": {"-1": "", "1": "", "n/a": ""}},
        "face": {"Levels": {"happy": "", "sad": ""}}, "trial_type": {"Levels": {"1": "", "2": ""}},
        "pupil": {"Units": "mm"},
    }  # fmt: skip
    write_events(
        tmp_path,
        "onset duration trial_type valence arousal dominance liking face pupil",
        "0 1 1 9 1 0 -1 happy 3",
        "0 1 2 n/a 2 10 n/a sad 3",
        "0 1 2 n/a n/a 5 0.5 sad 3",
        scales=scales,
    )
    one, two, three = read(tmp_path).values()
    assert one.ratings == {"valence": 9, "arousal": 1, "dominance": 0, "liking": -1}
    assert two.ratings == {"arousal": 2, "dominance": 10}
    assert two.missing == ("no ECG", "no EDA", "no valence")
    assert three.ratings == {"dominance": 5, "liking": 0.5}
    assert three.missing == ("no ECG", "no EDA", "no valence", "no arousal")


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ("9.5 3", "valence is rated 9.5, outside 1 - 9"),
        ("5 0", "arousal is rated 0, outside 1 - 9"),
        ("5 high", "arousal is rated 'high', expected a number or n/a"),
        ("nan 5", "valence is rated nan, outside 1 - 9"),
    ],
)
def test_bad_rating_costs_its_event_only(tmp_path, cells, reason):
    add_video(tmp_path)
    write_events(tmp_path, "onset duration valence arousal", f"0 1 {cells}", "1 1 2 2")
    first, second = read(tmp_path).values()
    assert str(first) == reason
    assert second.ratings == {"valence": 2, "arousal": 2}


def test_ratings_without_a_scale_are_told(tmp_path):
    add_video(tmp_path)
    write_events(tmp_path, "onset duration valence arousal", "0 1 900 3",
                 scales={"arousal": SCALES["arousal"]})  # fmt: skip
    (reading,) = read(tmp_path).values()
    assert reading.ratings == {"valence": 900, "arousal": 3}
    assert reading.missing[2:] == ("no scale of valence in events.json",)


def test_listed_participants_without_runs_are_told(tmp_path):
    write_physio(tmp_path, "ECG", [1, 2])
    for name in ("sub-02", "sub-03"):
        (tmp_path / name).mkdir()
    rows = ("participant_id\tage", "sub-01\t30", "sub-02\t31", "sub-04\t32", "../../tmp\t33")
    (tmp_path / "participants.tsv").write_text("\n".join(rows))
    first, second = bids.discover(tmp_path)
    assert (first.recording_id, second.recording_id) == (STEM, "sub-02")
    ((_, error),) = bids.read([second], heart="ECG", eda_unit=None)
    assert str(error) == "nothing recorded: no ECG, no EDA, no video"
    (tmp_path / "participants.tsv").write_bytes(b"\xff\xff")
    with pytest.raises(DatasetError, match=r"participants\.tsv: not readable"):
        bids.discover(tmp_path)


def test_event_outside_the_recording_is_empty(tmp_path):
    write_physio(tmp_path, "ECG", range(10))
    write_events(tmp_path, "onset duration", "5 1")
    assert str(read(tmp_path)[f"{STEM}_01"]).startswith("ECG is empty; no EDA")


def test_channel_that_occurs_twice_is_ambiguous(tmp_path):
    write_physio(tmp_path, "EDA", [1, 2])
    write_physio(tmp_path, "EDA", [1, 2], name="gsr")
    assert "one occurs twice" in str(read(tmp_path)[STEM])


def test_events_alone_are_nothing_recorded(tmp_path):
    write_events(tmp_path, "onset duration", "5 1")
    assert "nothing recorded" in str(read(tmp_path)[f"{STEM}_01"])


def test_two_videos_of_a_run_are_ambiguous(tmp_path):
    add_video(tmp_path, ".mp4")
    add_video(tmp_path, ".mov")
    assert "are of one run; keep one" in str(read(tmp_path)[STEM])


def test_wrong_root_is_explained(tmp_path):
    for root, reason in ((tmp_path / "none", "no such folder"), (tmp_path, "empty folder")):
        with pytest.raises(DatasetError, match=rf"{root}: {reason}.*datasets\.<name>\.root"):
            bids.discover(root)
    (tmp_path / "dataset_description.json").touch()
    with pytest.raises(DatasetError, match="no BIDS runs"):
        bids.discover(tmp_path)
