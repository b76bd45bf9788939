"""The real recordings in BIDS, read back."""

import gzip
import json

import numpy as np
import pytest

from pipeline_lib import sample
from pipeline_lib.datasets.bids import adapter as bids


@pytest.fixture(scope="module")
def signals(asset, tmp_path_factory):
    """A minute of the real recording, with five pictures."""
    folder = tmp_path_factory.mktemp("signals")
    for name in ("ECG", "EDA", "respiration", "stimuli"):
        np.save(folder / name, np.load(asset(name), mmap_mode="r")[390_000:453_750])
    return {name: folder / f"{name}.npy" for name in ("ECG", "EDA", "respiration", "stimuli")}


@pytest.fixture(scope="module")
def root(asset, signals, tmp_path_factory):
    root = tmp_path_factory.mktemp("sample") / "bids"
    clips = {name: asset(name) for name in ("neutral_then_smiling", "face_leaves")}
    sample.write(root, clips=clips, signals=signals)
    return root


def test_clips_are_unaltered(root, asset):
    copy = root / "sub-leaving" / "beh" / "sub-leaving_task-watch_video.mov"
    assert copy.read_bytes() == asset("face_leaves").read_bytes()


def test_pictures_are_events_with_their_own_samples(root, signals):
    sources = [s for s in bids.discover(root) if s.subject == "sub-disgust"]
    stimuli = np.load(signals["stimuli"])
    onsets = np.flatnonzero(stimuli)
    assert len(onsets) == 5
    readings = list(bids.read(sources, heart="ECG", eda_unit=None))
    for (source, reading), onset in zip(readings, onsets, strict=True):
        kind = {1: "neutral", 2: "disgust"}[int(stimuli[onset])]
        assert source.stimulus == f"{kind}-{source.order:02d}"
        for signal in reading.signals:
            first = max(onset - 5_000, 0)
            original = np.load(signals[signal.channel])[first : onset + 10_600]
            np.testing.assert_array_equal(signal.samples, original)
            assert signal.start == pytest.approx((first - onset) / 1000)
        assert [s.unit for s in reading.signals] == ["mV", "uS"]


def test_same_files_same_bytes(root, asset, signals, tmp_path):
    clips = {name: asset(name) for name in ("neutral_then_smiling", "face_leaves")}
    sample.write(tmp_path / "again", clips=clips, signals=signals)
    for path in (tmp_path / "again").rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (root / path.relative_to(tmp_path / "again")).read_bytes()


def test_clips_have_no_physiology(root):
    sources = [s for s in bids.discover(root) if s.subject == "sub-smiling"]
    ((_, reading),) = bids.read(sources, heart="ECG", eda_unit=None)
    assert reading.missing == ("no ECG", "no EDA", "no ratings")


def test_files_are_bids(root):
    stem = root / "sub-disgust" / "beh" / "sub-disgust_task-watch_recording-ecg_physio"
    sidecar = json.loads(stem.with_suffix(".json").read_text())
    assert {"SamplingFrequency", "StartTime", "Columns"} <= set(sidecar)
    with gzip.open(f"{stem}.tsv.gz", "rt") as file:
        float(file.readline())  # no header line
    assert json.loads((root / "dataset_description.json").read_text())["BIDSVersion"]
    assert "*_video.*" in (root / ".bidsignore").read_text()
    participants = (root / "participants.tsv").read_text().split()
    assert participants == ["participant_id", "sub-smiling", "sub-leaving", "sub-disgust"]
    assert not (root / "SYNTHETIC.md").exists()
