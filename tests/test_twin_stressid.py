"""The twin of StressID: NumPy, csv, wave and PyAV see its layout, its plan and its traps."""

import csv
import hashlib
import wave
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline_lib import params
from pipeline_lib.datasets.stressid import adapter
from pipeline_lib.recordings import Reading, RecordingError
from pipeline_lib.twins.shared.plan import plan
from pipeline_lib.twins.stressid import writer

TWIN = params.Twin(
    subjects=5, trials=3, seconds=5.0, effect=0.8, traps="few", seed=3, width=96, height=64
)
ALL_TRAPS = TWIN.model_copy(update={"traps": "all"})
N_TIMES = 5 * 500  # samples
IDS = writer.subject_ids(TWIN)
A, B, C, D, E = IDS


@pytest.fixture(scope="module")
def few(clips, tmp_path_factory):
    root = tmp_path_factory.mktemp("few") / "stressid"
    writer.write(root, twin=TWIN, clips=clips, jobs=1)
    return root


@pytest.fixture(scope="module")
def all_traps(clips, tmp_path_factory):
    root = tmp_path_factory.mktemp("all") / "stressid"
    writer.write(root, twin=ALL_TRAPS, clips=clips, jobs=1)
    return root


def read(root: Path) -> dict[str, Reading | RecordingError]:
    return {
        source.recording_id: reading
        for source in adapter.discover(root)
        for _, reading in adapter.read([source], heart="ECG", eda_unit="uS")
    }


def gaps(root: Path) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """What is excluded, and what else is missing of tasks."""
    readings = read(root)
    bad = {name: str(r) for name, r in readings.items() if isinstance(r, RecordingError)}
    partial = {
        name: reading.missing
        for name, reading in readings.items()
        if name not in bad and reading.missing and not name.endswith("Baseline")
    }
    return bad, partial


def planned() -> dict[str, tuple[bool, bool]]:
    trials = plan(subjects=5, trials=3, effect=0.8, seed=3)
    return {
        f"{IDS[t.subject]}_{writer.RATED[t.trial]}": (bool(t.valence), bool(t.arousal))
        for t in trials
    }


def rated(root: Path) -> dict[str, tuple[bool, bool]]:
    """Labels of what is rated, from self_assessments.csv and without the adapter."""
    with (root / "self_assessments.csv").open() as file:
        (_, *ids), *rows = csv.reader(file, delimiter=";")
    assert ids == IDS
    answers = {question: dict(zip(ids, told, strict=True)) for question, *told in rows}
    return {
        f"{subject}_{task}": tuple(
            float(answers[f"{task}_{scale}"][subject]) > 5 for scale in ("valence", "arousal")
        )
        for subject in ids
        for task in writer.RATED
        if answers[f"{task}_valence"][subject]
    }


def count_frames(path: Path) -> int:
    n_frames = 0
    with av.open(str(path)) as container:
        try:
            for _ in container.decode(video=0):
                n_frames += 1
        except av.error.InvalidDataError:
            pass  # the end of a truncated file
    return n_frames


def test_signals_are_comma_separated_at_500_hz(few):
    paths = sorted((few / "Physiological").glob("*/*.csv"))
    assert len(paths) == 5 * (3 + 1)  # and the baseline
    for path in paths:
        assert path.name.startswith(f"{path.parent.name}_")
        columns = np.genfromtxt(path, delimiter=",", names=True)
        assert columns.dtype.names == ("ECG", "EDA", "RR")
        assert columns.shape == (N_TIMES,)
        assert 0.5 < columns["EDA"].min() < columns["EDA"].max() < 20  # uS


def test_readings_are_the_columns(few):
    for name, reading in read(few).items():
        (path,) = few.rglob(f"{name}.csv")
        columns = np.genfromtxt(path, delimiter=",", names=True)
        for signal in reading.signals:
            np.testing.assert_array_equal(signal.samples, columns[signal.channel])
        assert reading.duration == 5


def test_ratings_are_the_plan(few):
    unrated = {f"{D}_Counting2"}
    assert rated(few) == {k: v for k, v in planned().items() if k not in unrated}
    found = {
        name: (reading.ratings["valence"] > 5, reading.ratings["arousal"] > 5)
        for name, reading in read(few).items()
        if reading.ratings
    }
    assert found == rated(few)


def test_labels_follow_the_rules_of_the_paper(few):
    with (few / "labels.csv").open() as file:
        rows = {row["subject/task"]: row for row in csv.DictReader(file)}
    readings = read(few)
    assert set(rows) == set(rated(few))
    for name, row in rows.items():
        told = readings[name].ratings
        assert (row["binary-stress"] == "1") == (told["stress"] >= 5)
        is_stressed = told["valence"] < 5 and told["arousal"] > 5 and told["stress"] > 5
        is_relaxed = told["valence"] > 5 and told["arousal"] < 5 and told["relax"] > 5
        assert row["affect3-class"] == ("2" if is_stressed else "0" if is_relaxed else "1")
        assert told["affect3"] == told["affect3-class"]
    assert {row["affect3-class"] for row in rows.values()} == {"0", "1", "2"}


def test_few_traps(few):
    bad, partial = gaps(few)
    assert bad == {}
    assert partial == {
        f"{A}_Breathing": (f"ECG: 25 of {N_TIMES} samples are NaN",),
        f"{B}_Counting1": (f"no {B}_Counting1.mp4",),
        f"{D}_Counting2": ("no ratings",),
    }


def test_all_traps(all_traps):
    bad, partial = gaps(all_traps)
    assert bad == {}
    assert partial == {
        f"{A}_Breathing": ("ECG: 25 of 2500 samples are NaN",),
        f"{A}_Counting1": (f"no {A}_Counting1.mp4",),
        f"{B}_Breathing": ("no valence", "no arousal"),
        f"{B}_Counting1": ("no valence", "no arousal"),
        f"{B}_Counting2": ("no ratings",),
        f"{C}_Counting1": (f"no {C}_Counting1.csv",),
        f"{D}_Breathing": ("EDA: 2500 of 2500 samples are NaN",),
        f"{D}_Counting2": (f"no {D}_Counting2.wav",),
        f"{E}_Breathing": (f"no {E}_Breathing.mp4",),
        f"{E}_Counting1": ("EDA is constant at 0", f"no {E}_Counting1.mp4"),
        f"{E}_Counting2": (f"no {E}_Counting2.mp4",),
    }


def test_oddities_of_subjects(all_traps):
    assert len(list((all_traps / "Physiological" / A).glob("*.txt"))) == 4
    assert not (all_traps / "Videos" / E).exists()
    assert {path.name[:6] for path in all_traps.rglob("._*")} == {f"._{A}"}  # by a Mac
    told = [reading.ratings for name, reading in read(all_traps).items() if name.startswith(B)]
    assert {frozenset(ratings) for ratings in told} <= {
        frozenset(),
        frozenset({"stress", "relax", "stress_binary"}),
    }


def test_sound_is_of_the_spoken_tasks(few):
    paths = sorted((few / "Audio").glob("*/*.wav"))
    assert {path.stem.split("_")[1] for path in paths} == {"Counting1", "Counting2"}
    assert len(paths) == 5 * 2
    for path in paths:
        with wave.open(str(path)) as file:
            assert file.getnframes() / file.getframerate() == 5
            assert np.frombuffer(file.readframes(-1), "<i2").std() > 500  # no silence


def test_videos(few):
    counts = {path.name: count_frames(path) for path in (few / "Videos").glob("*/*.mp4")}
    assert len(counts) == 5 * 3 - 1
    assert 10 < counts.pop(f"{E}_Breathing.mp4") < 70  # truncated
    assert set(counts.values()) == {5 * 15}


def test_same_params_same_bytes(all_traps, clips, tmp_path):
    writer.write(tmp_path / "again", twin=ALL_TRAPS, clips=clips, jobs=1)
    hashes = [
        {
            path.relative_to(folder): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in folder.rglob("*.*")
        }
        for folder in (all_traps, tmp_path / "again")
    ]
    assert hashes[0] == hashes[1]


def test_twin_has_no_more_trials_than_tasks(clips, tmp_path):
    twin = TWIN.model_copy(update={"trials": 12})
    with pytest.raises(ValueError, match=r"twins.stressid.trials is 12, above 11 rated tasks"):
        writer.write(tmp_path / "twin", twin=twin, clips=clips, jobs=1)


def test_twin_says_that_it_is_synthetic(few):
    notice = (few / "SYNTHETIC.md").read_text()
    assert "layout of StressID" in notice
    assert "eSpeak NG" in notice
