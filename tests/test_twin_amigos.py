"""The twin of AMIGOS with all traps: SciPy reads what the adapter reads, trap by trap."""

import hashlib
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat

from pipeline_lib import params
from pipeline_lib.datasets.amigos import adapter
from pipeline_lib.recordings import Reading, RecordingError
from pipeline_lib.twins.amigos import writer
from pipeline_lib.twins.shared.plan import plan

TWIN = params.Twin(
    subjects=5, trials=3, seconds=5.0, effect=0.8, traps="all", seed=3, width=96, height=64
)
N_TIMES, N_LONG = (5 + 5) * 128, (5 + 25) * 128  # samples
OPTIONS = {"heart": "ECG", "eda_unit": "Ohm"}


@pytest.fixture(scope="module")
def root(clips, tmp_path_factory):
    root = tmp_path_factory.mktemp("twin") / "amigos"
    writer.write(root, twin=TWIN, clips=clips, jobs=1)
    return root


def read(root: Path, videos=adapter.SHORT_VIDEOS) -> dict[str, Reading | RecordingError]:
    sources = adapter.discover(root, videos=videos)
    return {
        source.recording_id: reading
        for _, group in groupby(sources, key=lambda source: source.signals)
        for source, reading in adapter.read(list(group), **OPTIONS)
    }


def cells_of(root: Path, subject: str, video: str) -> dict[str, np.ndarray]:
    """A video's cells as SciPy reads them."""
    (path,) = root.rglob(f"Data_Preprocessed_{subject}.mat")
    content = loadmat(path)
    (place,) = [
        i for i, cell in enumerate(content["VideoIDs"][0]) if cell.size and cell[0] == video
    ]
    return {name: content[name][0, place] for name in adapter.CELLS}


def test_unzipping_left_files_in_three_ways(root):
    paths = {path.relative_to(root).as_posix() for path in root.rglob("P*_4_face.mov")}
    assert paths == {"P4_4_face.mov", "Exp1_P02_face/Exp1_P02_face/P2_4_face.mov",
                     "Exp1_P03_face/P3_4_face.mov",
                     "Exp1_P05_face/Exp1_P05_face/P5_4_face.mov"}  # fmt: skip
    assert (root / "Data_Preprocessed_P01.mat").exists()
    assert (root / "Data_Preprocessed_P03" / "Data_Preprocessed_P03.mat").exists()


def test_cells_are_of_the_real_shapes_and_in_no_order(root):
    orders = set()
    for number in range(1, 6):
        (path,) = root.rglob(f"Data_Preprocessed_P0{number}.mat")
        content = loadmat(path)
        assert {content[name].shape for name in adapter.CELLS} == {(1, 20)}
        orders.add(tuple(str(cell[0]) for cell in content["VideoIDs"][0] if cell.size))
        n_long = sum(cell.shape == (N_LONG, 17) for cell in content["joined_data"][0])
        assert n_long == (4 if number < 5 else 0)
    assert len(orders) == 5


def test_what_each_trap_costs(root):
    bad, partial = {}, {}
    for name, reading in read(root).items():
        if isinstance(reading, RecordingError):
            bad[name] = str(reading)
        elif reading.missing:
            partial[name] = reading.missing
    (told,) = partial.pop("P04_5")
    assert told.startswith("EDA: 1 of 1280 samples are not above 0 Ohm (least 0)")
    assert bad == {"P05_10": "nothing recorded: empty cell, no ratings, no video"}
    assert partial == {
        "P02_9": ("ECG: 1280 of 1280 samples are NaN",),
        "P03_4": ("EDA: 1280 of 1280 samples are NaN",),
        "P03_9": ("ECG is constant at 1",),
        "P01_4": ("no P1_4_face.mov",),
        "P01_5": ("no self-assessment",),
        "P04_4": ("no signals of video 4",),
        "P05_5": ("no external annotation",),
    }


def test_ratings_are_the_plan(root):
    trials = plan(subjects=5, trials=3, effect=0.8, seed=3)
    planned = {
        f"P{trial.subject + 1:02d}_{adapter.SHORT_VIDEOS[trial.trial]}": trial for trial in trials
    }
    readings = read(root)
    rated = {
        name for name, r in readings.items() if isinstance(r, Reading) and "valence" in r.ratings
    }
    assert len(rated) == 15 - 1  # without self-assessment
    for name in rated:
        ratings, trial = readings[name].ratings, planned[name]
        assert (ratings["valence"] > 4.5, ratings["arousal"] > 4.5) == (
            trial.valence,
            trial.arousal,
        )


def test_readings_are_what_scipy_finds_under_the_video_id(root):
    for name, reading in (read(root) | read(root, adapter.LONG_VIDEOS)).items():
        if isinstance(reading, RecordingError) or len(reading.signals) < 2:
            continue
        cells = cells_of(root, *name.split("_"))
        ecg, eda = reading.signals
        np.testing.assert_array_equal(ecg.samples, cells["joined_data"][:, 14])
        np.testing.assert_allclose(eda.samples * cells["joined_data"][:, 16], 1e6)
        if cells["labels_selfassessment"].size:
            told = [reading.ratings[name] for name in adapter.SELF_ASSESSMENT]
            np.testing.assert_array_equal(cells["labels_selfassessment"], [told])
        if cells["labels_ext_annotation"].size:
            seen = [reading.ratings[f"external_{name}"] for name in ("valence", "arousal")]
            np.testing.assert_allclose(cells["labels_ext_annotation"][:, 1:].mean(axis=0), seen)


def test_external_annotation_that_strays_stays_as_it_is(root):
    assert read(root)["P05_9"].ratings["external_valence"] == writer.ASTRAY


def test_long_videos_are_recorded_but_for_the_last_subject(root):
    readings = read(root, adapter.LONG_VIDEOS)
    assert list(readings)[:4] == ["P01_N1", "P01_P1", "P01_B1", "P01_U1"]
    assert readings["P01_U1"].duration == 25
    assert readings["P01_U1"].missing == ("no P1_U1_face.mov",)
    assert all(isinstance(readings[f"P05_{video}"], RecordingError) for video in ("N1", "U1"))


def test_same_params_same_bytes(root, clips, tmp_path):
    writer.write(tmp_path / "again", twin=TWIN, clips=clips, jobs=1)
    hashes = [
        {
            path.relative_to(folder): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in folder.rglob("*.*")
        }
        for folder in (root, tmp_path / "again")
    ]
    assert hashes[0] == hashes[1]


def test_traps_need_room(clips, tmp_path):
    twin = TWIN.model_copy(update={"trials": 2})
    with pytest.raises(ValueError, match=r"12 traps do not fit into"):
        writer.write(tmp_path / "twin", twin=twin, clips=clips, jobs=1)
