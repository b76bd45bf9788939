"""The Kinetics-400 twin: flat and in class folders, as other readers see it, with its traps."""

import csv
from pathlib import Path

import av
import pytest

from pipeline_lib import params
from pipeline_lib.datasets.kinetics import adapter as kinetics
from pipeline_lib.media import DECODED, completed
from pipeline_lib.recordings import RecordingError
from pipeline_lib.twins.kinetics import writer
from pipeline_lib.twins.shared.plan import plan
from tests.contents import hashes

TWIN = params.Twin(
    subjects=6, trials=3, seconds=5.0, effect=0.8, traps="all", seed=3, width=96, height=64
)
CLASSES = {(0, 0): "crying", (0, 1): "shaking head", (1, 0): "tasting food", (1, 1): "laughing"}


@pytest.fixture(scope="module")
def flat(clips, tmp_path_factory):
    root = tmp_path_factory.mktemp("twin") / "kinetics"
    writer.write(root, twin=TWIN, clips=clips, jobs=1)
    return root


@pytest.fixture(scope="module")
def folders(clips, tmp_path_factory):
    root = tmp_path_factory.mktemp("twin") / "kinetics"
    writer.write(root, twin=TWIN, clips=clips, jobs=1, layout="folders")
    return root


def rows(root: Path) -> list[dict[str, str]]:
    found = []
    for split in ("train", "val", "test"):
        with (root / "k400" / "annotations" / f"{split}.csv").open(newline="") as file:
            found += csv.DictReader(file)
    return found


def outcomes(root: Path):
    read = kinetics.read(kinetics.discover(root), heart=None, eda_unit=None)
    return [(source, completed(source, reading, DECODED)) for source, reading in read]


def test_annotations_are_those_of_the_set(flat):
    table = rows(flat)
    assert list(table[0]) == ["label", "youtube_id", "time_start", "time_end", "split"]
    assert len(table) == 17  # and a clip that has no row
    assert {row["split"] for row in table} == {"train", "val", "test"}
    assert {row["label"] for row in table} <= set(CLASSES.values())
    ids = [row["youtube_id"] for row in table]
    assert {len(video) for video in ids} == {11}
    assert {"-", "_"} <= {video[0] for video in ids}
    quoted = (flat / "k400" / "annotations" / "val.csv").read_text()
    assert quoted.startswith('"label","youtube_id"')


def test_clips_are_where_their_rows_say(flat):
    corrupt = 0
    for row in rows(flat):
        times = f"{int(row['time_start']):06d}_{int(row['time_end']):06d}"
        path = flat / "k400" / row["split"] / f"{row['youtube_id']}_{times}.mp4"
        if not path.exists():
            continue
        try:
            with av.open(str(path)) as container:
                assert len(list(container.decode(video=0))) == 150
                assert container.streams.video[0].average_rate == 30
        except av.error.InvalidDataError:
            corrupt += 1
    assert corrupt == 3


def test_index_is_the_annotations_but_for_the_traps(flat):
    bad, partial, replaced, labels = [], [], 0, []
    for source, reading in outcomes(flat):
        if isinstance(reading, RecordingError):
            bad.append(str(reading))
            continue
        partial += reading.missing
        replaced += "replacement" in source.video.parts
        labels.append(source.stimulus)
        assert reading.duration == pytest.approx(5)
    assert len(bad) == 3
    assert sum("cannot be read as video" in reason for reason in bad) == 2
    assert sum("and no replacement of it" in reason for reason in bad) == 1
    assert (partial, replaced, len(labels)) == (["no class"], 2, 15)


def test_classes_follow_the_plan(flat):
    trials = plan(subjects=6, trials=3, effect=0.8, seed=3)
    planted = sorted(CLASSES[trial.valence, trial.arousal] for trial in trials)
    found = sorted(source.stimulus for source in kinetics.discover(flat))
    found.remove("n/a")
    for label in found:
        planted.remove(label)
    assert len(planted) == 1  # of the clip that has no row


def test_class_folders_have_spaces_and_no_annotations(folders):
    assert not list(folders.rglob("*.csv"))
    assert {path.name for path in folders.glob("*/*/")} - {"replacement_for_corrupted_k400"} == set(
        CLASSES.values()
    )
    sources = [source for source, _ in outcomes(folders)]
    assert {source.split for source in sources} == {"train", "validation", "test"}
    assert {source.stimulus for source in sources} == set(CLASSES.values())
    assert len(sources) == 17  # of the missing clip nothing tells


def test_same_params_same_bytes(flat, clips, tmp_path):
    writer.write(tmp_path / "flat", twin=TWIN, clips=clips, jobs=2)
    assert hashes(tmp_path / "flat") == hashes(flat)


def test_twin_says_that_it_is_synthetic(flat):
    assert "layout of Kinetics-400" in (flat / "SYNTHETIC.md").read_text()
