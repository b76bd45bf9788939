"""The DEAP adapter on hand-made files, above all its join."""

import contextlib
import csv
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from pipeline_lib.datasets.deap import adapter as deap, presentations
from pipeline_lib.recordings import DatasetError, Reading, RecordingError

N_TIMES = 3 * 128 + 256  # the baseline and 2 s
NAMES = ("valence", "arousal", "dominance", "liking")
# Trial -> Experiment_id and ratings: no trial is its own experiment, so that a join by position
# gives other numbers everywhere.
PRESENTED = {1: (3, 7.5, 2.25, 3.5, 6), 2: (1, 1.5, 8.0, 4.5, 7), 3: (2, 5.0, 5.01, 5.5, 8)}
OPTIONS = {"heart": "PPG", "eda_unit": "relative_Ohm"}


def data() -> np.ndarray:
    """(3, 40, n_times): row and channel are seen in level and slope."""
    time = np.linspace(0, 1, N_TIMES)
    rows, channels = np.arange(3)[:, None, None], np.arange(40)[None, :, None]
    return 1000.0 * rows + time * (1 + channels)


def labels() -> np.ndarray:
    return np.array([ratings for _, *ratings in sorted(PRESENTED.values())])


def ratings_of(trial: int) -> dict[str, float]:
    """All ratings of a trial; familiarity is one more than the trial."""
    return dict(zip(NAMES, PRESENTED[trial][1:], strict=True)) | {"familiarity": trial + 1}


def write_ratings(root: Path, rows: list[dict[str, object]]) -> Path:
    path = root / "metadata_csv" / "participant_ratings.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        names = (*presentations.KEYS, "Start_time", *presentations.RATED)
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)
    return path


def rows(participant: int = 1) -> list[dict[str, object]]:
    return [
        {"Participant_id": participant, "Trial": trial, "Experiment_id": experiment}
        | {"Start_time": 1, **dict(zip(presentations.RATED, ratings, strict=False))}
        | {"Familiarity": trial + 1}
        for trial, (experiment, *ratings) in PRESENTED.items()
    ]


def write_dat(root: Path, content: object, *, number: int = 1) -> Path:
    path = root / "data_preprocessed_python" / f"s{number:02d}.dat"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content, protocol=2))
    return path


def add_video(root: Path, number: int, trial: int) -> None:
    path = root / "face_video" / f"s{number:02d}" / f"s{number:02d}_trial{trial:02d}.avi"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_ratings(tmp_path, rows())
    write_dat(tmp_path, {"data": data(), "labels": labels()})
    return tmp_path


def read(root: Path, **options) -> dict[str, Reading | RecordingError]:
    return {s.trial: r for s, r in deap.read(deap.discover(root), **OPTIONS | options)}


def test_rows_follow_experiment_and_videos_presentation(root):
    for trial in PRESENTED:
        add_video(root, 1, trial)
    for source, reading in deap.read(deap.discover(root), **OPTIONS):
        experiment = PRESENTED[source.order][0]
        assert source.recording_id == f"s01_t{source.order:02d}"
        assert source.stimulus == str(experiment)
        assert source.video.name == f"s01_trial{source.order:02d}.avi"
        assert reading.ratings == ratings_of(source.order)
        ppg, eda = reading.signals
        np.testing.assert_allclose(ppg.samples, data()[experiment - 1, 38])
        np.testing.assert_allclose(eda.samples, -data()[experiment - 1, 36])
        assert (eda.unit, eda.source_unit) == ("relative", "relative_Ohm")
        assert (ppg.start, ppg.sampling_rate) == (-3, 128)
        assert (reading.video_start, reading.duration, reading.missing) == (0, 2, ())


@pytest.mark.parametrize(("column", "name", "trial"), [(0, "valence", "t02"), (3, "liking", "t03")])
def test_ratings_that_disagree_show_a_wrong_join(root, column, name, trial):
    spoiled = labels()
    spoiled[:2, column] = spoiled[1::-1, column]
    write_dat(root, {"data": data(), "labels": spoiled})
    readings = read(root)
    with pytest.raises(RecordingError, match=rf"{name} is .* in row \d of the \.dat and .* in"):
        raise readings[trial]
    assert readings["t01"].ratings["valence"] == 7.5


def test_missing_files_are_partial(tmp_path):
    write_ratings(tmp_path, rows(1) + rows(2) + rows(3))
    write_dat(tmp_path, {"data": data(), "labels": labels()})
    add_video(tmp_path, 2, 1)
    sources = deap.discover(tmp_path)  # of participant 3 nothing is there
    assert {source.subject for source in sources} == {"s01", "s02"}
    for source, reading in deap.read(sources[:3], **OPTIONS):
        assert reading.missing == (f"no s01_trial{source.order:02d}.avi",)
    first, second, _ = (reading for _, reading in deap.read(sources[3:], **OPTIONS))
    assert first.missing == ("no s02.dat",)
    assert first.ratings == ratings_of(1)
    assert str(second) == "nothing recorded: no s02.dat, no video"


def test_blank_ratings_come_from_the_other_file(root):
    blank = dict.fromkeys(presentations.RATED, "")
    write_ratings(root, [row | blank for row in rows()])
    assert read(root)["t01"].ratings == dict(zip(NAMES, PRESENTED[1][1:], strict=True))
    write_dat(root, {"data": data(), "labels": np.full((3, 4), np.nan)})
    assert read(root)["t01"].missing == ("no ratings", "no s01_trial01.avi")
    write_ratings(root, rows())
    assert read(root)["t01"].ratings == ratings_of(1)


def test_blank_familiarity_is_nothing_that_lacks(root):
    write_ratings(root, [row | {"Familiarity": ""} for row in rows()])
    add_video(root, 1, 1)
    reading = read(root)["t01"]
    assert set(reading.ratings) == set(NAMES)
    assert reading.missing == ()


def test_single_blank_rating_is_named(root):
    write_ratings(root, [row | {"Arousal": " "} for row in rows()])
    write_dat(root, {"data": data(), "labels": labels() * [1, np.nan, 1, 1]})
    assert read(root)["t01"].missing == ("no arousal", "no s01_trial01.avi")


@pytest.mark.parametrize("value", [0.5, 11, np.inf])
def test_rating_outside_its_scale_costs_its_trial_only(root, value):
    spoiled = labels()
    spoiled[0, 1] = value  # Experiment_id 1 is Trial 2
    write_dat(root, {"data": data(), "labels": spoiled})
    write_ratings(root, [row | {"Arousal": ""} for row in rows()])
    readings = read(root)
    with pytest.raises(RecordingError, match=f"arousal is rated {value:g}, outside 1 - 9"):
        raise readings["t02"]
    assert readings["t01"].ratings["arousal"] == 2.25


def test_fewer_rows_than_experiments_cost_those_only(root):
    write_dat(root, {"data": data()[:2], "labels": labels()[:2]})
    gap = "s01.dat: 2 trials, none for Experiment_id 3"
    readings = read(root)
    assert str(readings["t01"]) == f"nothing recorded: {gap}, no video"
    assert readings["t02"].ratings["arousal"] == 8
    add_video(root, 1, 1)
    reading = read(root)["t01"]
    assert (reading.signals, reading.missing) == ((), (gap,))
    assert reading.ratings == ratings_of(1)


def test_rows_that_were_taken_out_do_not_shift_the_others(root):
    write_dat(root, {"data": data()[1:], "labels": labels()[1:]})  # without Experiment_id 1
    readings = read(root)
    assert all(isinstance(reading, RecordingError) for reading in readings.values())
    assert "one of them is of another trial" in str(readings["t02"])


def test_gsr_has_one_unit_a_site(tmp_path):
    write_ratings(tmp_path, rows(22) + rows(23))
    for number in (22, 23):
        content = {"data": data() + 1, "labels": labels()}
        write_dat(tmp_path, content, number=number)
    sources = deap.discover(tmp_path)
    options = {"heart": "PPG", "eda_unit": {"twente": "nS", "geneva": "Ohm"}}
    raw = data()[2, 36] + 1  # Trial 1
    for first, expected in ((0, raw * 1e-3), (3, 1e6 / raw)):
        eda = next(deap.read(sources[first : first + 3], **options))[1].signals[1]
        np.testing.assert_allclose(eda.samples, expected)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"data": data()}, r"holds \['data'\], expected data and labels"),
        ({"data": data()[:, :32], "labels": labels()}, r"\(3, 32, 640\)"),
        ({"data": data()[..., :384], "labels": labels()}, r"\(3, 40, 384\)"),
        ({"data": data()[0], "labels": labels()}, r"\(40, 640\)"),
        ({"data": data(), "labels": labels()[:2]}, r"labels \(2, 4\)"),
        ({"data": data(), "labels": Path.touch}, "refused"),
    ],
)
def test_bad_file_costs_its_participant_only(tmp_path, content, reason):
    write_ratings(tmp_path, rows(1) + rows(2))
    write_dat(tmp_path, content)
    write_dat(tmp_path, {"data": data(), "labels": labels()}, number=2)
    sources = deap.discover(tmp_path)
    for _, error in deap.read(sources[:3], **OPTIONS):
        with pytest.raises(RecordingError, match=reason):
            raise error
    assert all(len(reading.signals) == 2 for _, reading in deap.read(sources[3:], **OPTIONS))


@pytest.mark.parametrize(("channel", "name"), [(36, "EDA"), (38, "PPG")])
@pytest.mark.parametrize(("value", "reason"), [(np.nan, "are NaN"), (2.0, "is constant at 2")])
def test_bad_channel_costs_its_trial_nothing_else(root, channel, name, value, reason):
    spoiled = data()
    spoiled[0, channel] = value  # Experiment_id 1 is Trial 2
    write_dat(root, {"data": spoiled, "labels": labels()})
    readings = read(root)
    (told,) = (gap for gap in readings["t02"].missing if gap.startswith(name))
    assert reason in told
    assert [signal.channel for signal in readings["t02"].signals] == [
        other for other in ("PPG", "EDA") if other != name
    ]
    assert len(readings["t01"].signals) == len(readings["t03"].signals) == 2


def test_files_are_found_wherever_unzipping_left_them(tmp_path):
    table = write_ratings(tmp_path, rows(1) + rows(2))
    shutil.move(table, tmp_path)
    for number in (1, 2):
        content = {"data": data() + number, "labels": labels()}
        path = write_dat(tmp_path, content, number=number)
        nested = path.parent / path.parent.name
        nested.mkdir(exist_ok=True)
        shutil.move(path, nested if number == 1 else tmp_path)
    sources = deap.discover(tmp_path)
    for first, number in ((0, 1), (3, 2)):
        ppg = next(deap.read(sources[first : first + 3], **OPTIONS))[1].signals[0]
        np.testing.assert_allclose(ppg.samples, data()[2, 38] + number)


def test_copies_of_a_file_are_one_file(root):
    path = root / "data_preprocessed_python" / "s01.dat"
    nested = path.parent / path.parent.name
    nested.mkdir()
    shutil.copy(path, nested)
    shutil.copy(root / "metadata_csv" / "participant_ratings.csv", root)
    (first, *_) = deap.discover(root)
    assert first.signals in (path, nested / path.name)
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"s01\.dat and .*s01\.dat both claim .* and differ"):
        deap.discover(root)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"Trial": "x"}, "line 2: Trial is 'x', expected 1 - 999"),
        ({"Trial": 0}, "line 2: Trial is '0'"),
        ({"Experiment_id": 1000}, "line 2: Experiment_id is '1000'"),
        ({"Valence": "high"}, "line 2: Valence is 'high', expected a number"),
        ({"Trial": 2}, r"\(participant, trial\) \[\(1, 2\)\] occur twice"),
        ({"Experiment_id": 1}, r"\(participant, experiment\) \[\(1, 1\)\] occur twice"),
    ],
)
def test_bad_ratings_table_is_an_error(root, change, reason):
    first, *others = rows()
    write_ratings(root, [first | change, *others])
    with pytest.raises(DatasetError, match=reason):
        deap.discover(root)


def test_column_that_is_missing_is_named(root):
    path = root / "metadata_csv" / "participant_ratings.csv"
    path.write_text(path.read_text().replace("Experiment_id", "Experiment"))
    with pytest.raises(DatasetError, match=r"lacks \['Experiment_id'\]"):
        deap.discover(root)


def test_byte_order_mark_and_blank_lines_are_harmless(root):
    path = root / "metadata_csv" / "participant_ratings.csv"
    text = path.read_text().replace("\n", "\r\n\r\n")
    text = text.replace(",", " ,")
    path.write_bytes(b"\xef\xbb\xbf" + text.encode() + b",,,,,,,,\r\n  \r\n")
    assert read(root)["t01"].ratings == ratings_of(1)


def test_table_beyond_all_participants_is_refused(root, monkeypatch):
    monkeypatch.setattr(presentations, "MAX_ROWS", 2)
    with pytest.raises(DatasetError, match="3 rows, above the 2"):
        deap.discover(root)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.floats(0, 1), st.binary(min_size=1, max_size=6), st.booleans())
def test_damaged_table_is_read_or_refused(root, place, damage, insert):
    path = write_ratings(root, rows())
    content = path.read_bytes()
    at = int(place * len(content))
    rest = content[at:] if insert else content[at + len(damage) :]
    path.write_bytes(content[:at] + damage + rest)
    with contextlib.suppress(DatasetError):  # and no other error
        for reading in read(root).values():
            assert isinstance(reading, Reading | RecordingError)


def test_file_without_a_row_cannot_be_joined(root):
    add_video(root, 1, 4)
    with pytest.raises(DatasetError, match=r"s01_trial04\.avi: has no row in .*ratings\.csv"):
        deap.discover(root)


def test_wrong_root_is_explained(tmp_path):
    for root, reason in ((tmp_path / "none", "no such folder"), (tmp_path, "empty folder")):
        with pytest.raises(DatasetError, match=rf"{root}: {reason}.*datasets\.<name>\.root"):
            deap.discover(root)
    write_dat(tmp_path, {})
    with pytest.raises(DatasetError, match=r"no participant_ratings\.csv"):
        deap.discover(tmp_path)
    (tmp_path / "data_preprocessed_python" / "s01.dat").unlink()
    write_ratings(tmp_path, rows())
    with pytest.raises(DatasetError, match="no DEAP files"):
        deap.discover(tmp_path)


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"heart": "ECG"}, "heart"),
        ({"heart": None}, "heart"),
        ({"eda_unit": None}, "eda_unit"),
        ({"eda_unit": {"twente": "nS"}}, "eda_unit"),
        ({"eda_unit": {"twente": "nS", "geneva": "Ohm", "Geneva": "Ohm"}}, "eda_unit"),
    ],
)
def test_params_that_do_not_fit_are_named(root, options, key):
    with pytest.raises(DatasetError, match=rf"datasets\.<name>\.{key}"):
        read(root, **options)


def test_owners_announce_more_than_is_published():
    official = deap.OFFICIAL
    assert (official.subjects, official.recordings, official.videos) == (32, 1280, 880)
