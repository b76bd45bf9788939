"""The twins lie in the layouts of the real sets, traps included, as other readers see them."""

import csv
import pickle
from itertools import groupby
from pathlib import Path

import av
import numpy as np
import pytest
from scipy.io import loadmat

from pipeline_lib import params
from pipeline_lib.datasets.amigos import adapter as amigos_layout
from pipeline_lib.datasets.deap import adapter as deap_layout
from pipeline_lib.recordings import RecordingError
from pipeline_lib.twins.amigos import writer as amigos
from pipeline_lib.twins.deap import writer as deap
from pipeline_lib.twins.folder import replaced
from pipeline_lib.twins.shared.plan import plan

TWIN = params.Twin(
    subjects=5, trials=3, seconds=5.0, effect=0.8, traps="few", seed=3, width=96, height=64
)
N_AMIGOS, N_DEAP = (5 + 5) * 128, (3 + 5) * 128  # samples


@pytest.fixture(scope="module")
def amigos_root(clips, tmp_path_factory):
    root = tmp_path_factory.mktemp("twin") / "amigos"
    amigos.write(root, twin=TWIN, clips=clips, jobs=1)
    return root


@pytest.fixture(scope="module")
def deap_root(clips, tmp_path_factory):
    root = tmp_path_factory.mktemp("twin") / "deap"
    deap.write(root, twin=TWIN, clips=clips, jobs=1)
    return root


def count_frames(path: Path) -> int:
    n_frames = 0
    with av.open(str(path)) as container:
        try:
            for _ in container.decode(video=0):
                n_frames += 1
        except av.error.InvalidDataError:
            pass  # the end of a truncated file
    return n_frames


def readings(layout, root: Path, **options):
    sources = layout.discover(root)
    for _, group in groupby(sources, key=lambda source: source.signals):
        yield from layout.read(list(group), **options)


def planned() -> dict[tuple[int, int], tuple[bool, bool]]:
    trials = plan(subjects=5, trials=3, effect=0.8, seed=3)
    return {(t.subject + 1, t.trial + 1): (bool(t.valence), bool(t.arousal)) for t in trials}


def test_amigos_matrices(amigos_root):
    orders = set()
    for path in sorted(amigos_root.glob("Data_Preprocessed_P*/Data_Preprocessed_P*.mat")):
        content = loadmat(path)
        assert path.read_bytes().startswith(b"MATLAB 5.0")
        names = ("joined_data", "labels_selfassessment", "labels_ext_annotation", "VideoIDs")
        assert {content[name].shape for name in names} == {(1, 20)}
        ids = [str(cell.flat[0]) for cell in content["VideoIDs"][0] if cell.size]
        assert {"N1", "P1", "B1", "U1", "4", "5", "9"} <= set(ids)
        orders.add(tuple(ids))
        shapes = {cell.shape for cell in content["joined_data"][0]}
        assert shapes == {(0, 0), (N_AMIGOS, 17)}
        assert {c.shape for c in content["labels_ext_annotation"][0]} == {(0, 0), (1, 3)}
    assert len(orders) == 5  # unordered, and each subject in an order of their own


def test_amigos_index_is_the_plan_but_for_the_traps(amigos_root):
    bad, partial, rated = {}, {}, {}
    for source, reading in readings(amigos_layout, amigos_root, heart="ECG", eda_unit="Ohm"):
        if isinstance(reading, RecordingError):
            bad[source.recording_id] = str(reading)
            continue
        if reading.missing:
            partial[source.recording_id] = reading.missing
        if "valence" in reading.ratings:
            place = int(source.subject[1:]), ("4", "5", "9").index(source.trial) + 1
            rated[place] = reading.ratings["valence"] > 4.5, reading.ratings["arousal"] > 4.5
    assert bad == {"P05_10": "nothing recorded: empty cell, no ratings, no video"}
    assert partial == {
        "P01_4": ("no P1_4_face.mov",),
        "P02_5": ("no self-assessment",),
        "P03_9": (f"ECG: {N_AMIGOS} of {N_AMIGOS} samples are NaN",),
    }
    assert rated == {k: v for k, v in planned().items() if k != (2, 2)}


def test_amigos_videos(amigos_root):
    paths = sorted(amigos_root.glob("Exp1_P*_face/P*_face.mov"))
    assert len(paths) == 5 * 3 - 1
    for path in paths:
        if path.name == "P5_5_face.mov":
            assert path.stat().st_size == 0
        elif path.name == "P4_4_face.mov":
            assert 50 < count_frames(path) < 200  # truncated
        else:
            assert count_frames(path) == (5 + 5) * 25
    with av.open(str(paths[0])) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.average_rate) == ("h264", 25)
        assert (stream.width, stream.height) == (96, 64)


def test_deap_pickles_are_of_python_2(deap_root):
    for path in sorted(deap_root.glob("data_preprocessed_python/s*.dat")):
        content = path.read_bytes()
        assert content.startswith(b"\x80\x02}")  # protocol 2
        loaded = pickle.loads(content, encoding="latin1")
        assert loaded["data"].shape == (3, 40, N_DEAP)
        assert loaded["labels"].shape == (3, 4)


def test_deap_table_joins_both_orders(deap_root):
    with (deap_root / "metadata_csv" / "participant_ratings.csv").open() as file:
        table = list(csv.DictReader(file))
    assert len(table) == 15
    for row in table:
        dat = deap_root / "data_preprocessed_python" / f"s{int(row['Participant_id']):02d}.dat"
        labels = pickle.loads(dat.read_bytes(), encoding="latin1")["labels"]
        rated = [float(row[name]) for name in ("Valence", "Arousal", "Dominance", "Liking")]
        np.testing.assert_array_equal(labels[int(row["Experiment_id"]) - 1], rated)
        assert (row["Familiarity"] == "") == (row["Participant_id"] == "2")
    for _, session in groupby(table, key=lambda row: row["Participant_id"]):
        assert any(row["Trial"] != row["Experiment_id"] for row in session)


def test_deap_index_is_the_plan_but_for_the_traps(deap_root):
    bad, partial, rated = {}, {}, {}
    for source, reading in readings(deap_layout, deap_root, heart="PPG", eda_unit="relative_Ohm"):
        if isinstance(reading, RecordingError):
            bad[source.recording_id] = str(reading)
            continue
        if reading.missing:
            partial[source.recording_id] = reading.missing
        ratings = reading.ratings
        rated[int(source.subject[1:]), source.order] = (
            ratings["valence"] > 5,
            ratings["arousal"] > 5,
        )
    assert bad == {}
    assert partial == {
        "s01_t01": (f"PPG: {N_DEAP} of {N_DEAP} samples are NaN",),
        "s05_t03": ("no s05_trial03.avi",),
    }
    assert rated == planned()


def test_deap_videos(deap_root):
    paths = sorted(deap_root.glob("face_video/s*/s*_trial*.avi"))
    counts = {path.name: count_frames(path) for path in paths}
    assert len(counts) == 5 * 3 - 1
    assert 50 < counts.pop("s03_trial02.avi") < 200  # truncated
    assert set(counts.values()) == {5 * 50}


def test_twins_say_that_they_are_synthetic(amigos_root, deap_root):
    for root, name in ((amigos_root, "AMIGOS"), (deap_root, "DEAP")):
        assert f"layout of {name}" in (root / "SYNTHETIC.md").read_text()


def test_folder_is_replaced_whole_or_not_at_all(tmp_path):
    root = tmp_path / "twin"
    with replaced(root) as folder:
        (folder / "old").touch()
    with pytest.raises(RuntimeError), replaced(root) as folder:  # noqa: PT012
        (folder / "half").touch()
        raise RuntimeError
    assert [path.name for path in tmp_path.rglob("*")] == ["twin", "old"]
    with replaced(root) as folder:
        (folder / "new").touch()
    assert [path.name for path in tmp_path.rglob("*")] == ["twin", "new"]
