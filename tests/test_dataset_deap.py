"""The DEAP adapter on hand-made files, above all its join."""

import csv
import pickle
from pathlib import Path

import numpy as np
import pytest

from pipeline_lib.datasets.deap import adapter as deap
from pipeline_lib.recordings import DatasetError, Reading, RecordingError

N_TIMES = 3 * 128 + 256  # the baseline and 2 s
# Trial -> Experiment_id, valence, arousal: no trial is its own experiment, so that a join by
# position gives other numbers everywhere.
PRESENTED = {1: (3, 7.5, 2.25), 2: (1, 1.5, 8.0), 3: (2, 5.0, 5.01)}


def data() -> np.ndarray:
    """(3, 40, n_times): row and channel are seen in level and slope."""
    time = np.linspace(0, 1, N_TIMES)
    rows, channels = np.arange(3)[:, None, None], np.arange(40)[None, :, None]
    return 1000.0 * rows + time * (1 + channels)


def labels() -> np.ndarray:
    by_experiment = sorted(PRESENTED.values())
    return np.array([[valence, arousal, 3, 3] for _, valence, arousal in by_experiment])


def write_ratings(root: Path, rows: list[dict[str, object]]) -> Path:
    path = root / "metadata_csv" / "participant_ratings.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        names = ["Participant_id", "Trial", "Experiment_id", "Start_time", "Valence", "Arousal"]
        writer = csv.DictWriter(file, [*names, "Dominance", "Liking", "Familiarity"])
        writer.writeheader()
        writer.writerows(rows)
    return path


def rows(participant: int = 1) -> list[dict[str, object]]:
    return [
        {"Participant_id": participant, "Trial": trial, "Experiment_id": experiment,
         "Start_time": 1, "Valence": valence, "Arousal": arousal}
        for trial, (experiment, valence, arousal) in PRESENTED.items()
    ]  # fmt: skip


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
    options = {"heart": "PPG", "eda_unit": "relative_Ohm"} | options
    return {s.trial: r for s, r in deap.read(deap.discover(root), **options)}


def test_rows_follow_experiment_and_videos_presentation(root):
    for trial in PRESENTED:
        add_video(root, 1, trial)
    for source, reading in deap.read(deap.discover(root), heart="PPG", eda_unit="relative_Ohm"):
        experiment, valence, arousal = PRESENTED[source.order]
        assert source.recording_id == f"s01_t{source.order:02d}"
        assert source.stimulus == str(experiment)
        assert source.video.name == f"s01_trial{source.order:02d}.avi"
        assert reading.ratings == {"valence": valence, "arousal": arousal}
        ppg, eda = reading.signals
        np.testing.assert_allclose(ppg.samples, data()[experiment - 1, 38])
        np.testing.assert_allclose(eda.samples, -data()[experiment - 1, 36])
        assert (eda.unit, ppg.start, ppg.sampling_rate) == ("relative", -3, 128)
        assert (reading.video_start, reading.duration, reading.missing) == (0, 2, ())


def test_ratings_that_disagree_show_a_wrong_join(root):
    write_dat(root, {"data": data(), "labels": labels()[[1, 0, 2]]})
    readings = read(root)
    with pytest.raises(RecordingError, match=r"valence is 5 in row 0 of the \.dat and 1\.5 in"):
        raise readings["t02"]
    assert readings["t01"].ratings["valence"] == 7.5


def test_missing_files_are_partial(tmp_path):
    write_ratings(tmp_path, rows(1) + rows(2) + rows(3))
    write_dat(tmp_path, {"data": data(), "labels": labels()})
    add_video(tmp_path, 2, 1)
    sources = deap.discover(tmp_path)  # of participant 3 nothing is there
    assert {source.subject for source in sources} == {"s01", "s02"}
    options = {"heart": "PPG", "eda_unit": "relative_Ohm"}
    for source, reading in deap.read(sources[:3], **options):
        assert reading.missing == (f"no s01_trial{source.order:02d}.avi",)
    first, second, _ = (reading for _, reading in deap.read(sources[3:], **options))
    assert first.missing == ("no s02.dat",)
    assert first.ratings == {"valence": 7.5, "arousal": 2.25}
    assert str(second) == "nothing recorded: no s02.dat, no video"


def test_blank_ratings_come_from_the_other_file(root):
    write_ratings(root, [row | {"Valence": "", "Arousal": ""} for row in rows()])
    assert read(root)["t01"].ratings == {"valence": 7.5, "arousal": 2.25}
    write_dat(root, {"data": data(), "labels": np.full((3, 4), np.nan)})
    assert read(root)["t01"].missing == ("no ratings", "no s01_trial01.avi")


def test_fewer_rows_than_experiments_cost_those_only(root):
    write_dat(root, {"data": data()[:2], "labels": labels()[:2]})
    readings = read(root)
    assert str(readings["t01"]) == "s01.dat: 2 trials, none for Experiment_id 3"
    assert readings["t02"].ratings["arousal"] == 8


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
    options = {"heart": "PPG", "eda_unit": "relative_Ohm"}
    for _, error in deap.read(sources[:3], **options):
        with pytest.raises(RecordingError, match=reason):
            raise error
    assert all(len(reading.signals) == 2 for _, reading in deap.read(sources[3:], **options))


@pytest.mark.parametrize(("channel", "name"), [(36, "EDA"), (38, "PPG")])
@pytest.mark.parametrize(("value", "reason"), [(np.nan, "are NaN"), (2.0, "is constant at 2")])
def test_bad_channel_costs_its_trial_only(root, channel, name, value, reason):
    spoiled = data()
    spoiled[0, channel] = value  # Experiment_id 1 is Trial 2
    write_dat(root, {"data": spoiled, "labels": labels()})
    readings = read(root)
    with pytest.raises(RecordingError, match=f"{name}.*{reason}"):
        raise readings["t02"]
    assert len(readings["t01"].signals) == len(readings["t03"].signals) == 2


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"Trial": "x"}, "line 2: ValueError"),
        ({"Valence": "high"}, "line 2: ValueError"),
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
    with pytest.raises(DatasetError, match="KeyError\\('Experiment_id'\\)"):
        deap.discover(root)


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
    ("options", "key"), [({"heart": "ECG"}, "heart"), ({"eda_unit": None}, "eda_unit")]
)
def test_params_that_do_not_fit_are_named(root, options, key):
    with pytest.raises(DatasetError, match=rf"datasets\.<name>\.{key}"):
        read(root, **options)
