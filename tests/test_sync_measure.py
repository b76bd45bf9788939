"""Video and signals of whole recordings: a planted offset is found, and moves what it should."""

import shutil
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml

from pipeline_lib.core import tables
from pipeline_lib.core.schema import LEDGER, RECORDINGS, SOURCES, SYNC, validate
from pipeline_lib.sync.measure import MEASURED, sync_recording
from pipeline_lib.sync.shift import shifted, with_shift
from pipeline_lib.twins.bids import writer
from stages import sync
from tests.viewer import record


def synced(root: Path, recording: dict, **options) -> dict:
    options = {"heart": "PPG", "estimate": True, "max_offset": 2.0} | options
    options = {"signals": root / "signals", "openface": root / "openface"} | options
    result = sync_recording(recording, root=root, **options)
    (row,) = validate(result.table, MEASURED, "sync").to_dicts()
    assert (result.status, result.reason) == ("partial" if row["reason"] else "ok", row["reason"])
    return row


@pytest.fixture(scope="module")
def recorded(tmp_path_factory, asset):
    """recorded(offset, pulse): the root and the row of a recording, made on first use."""
    clips = {name: asset(name) for name in ("sad_then_laughing", "neutral_then_smiling")}

    @cache
    def make(offset: float, pulse: float) -> tuple[Path, dict]:
        root = tmp_path_factory.mktemp("recorded")
        model = asset("face_landmarker")
        return root, record(root, clips, model, offset=offset, pulse=pulse)

    return make


@pytest.fixture
def pale(recorded):
    """A recording whose skin shows no pulse."""
    return recorded(0.4, 0.0)


@pytest.mark.parametrize("offset", [0.4, -0.7])
def test_planted_offset_is_found(recorded, offset):
    row = synced(*recorded(offset, 2.0))
    assert row["offset"] == pytest.approx(offset, abs=0.1)
    assert row["confidence"] > 0.6
    assert row["reason"] == ""


def test_without_pulse_colour_nothing_is_believed(pale):
    row = synced(*pale)
    assert row["confidence"] < 0.2
    assert row["repeated"] > 0  # the film is played at less than 30 frames a second


def test_timing_is_measured_without_decoding(pale, monkeypatch):
    monkeypatch.setattr("pipeline_lib.video.decode._ticks", None)
    row = synced(*pale, estimate=False)
    n_frames = round((writer.ONSET + 24 - writer.CAMERA_START) * 30)
    assert (row["n_frames"], row["constant"], row["dropped"]) == (n_frames, True, 0)
    assert row["video_seconds"] == pytest.approx(n_frames / 30)
    # Signals end with the event, before which LEAD_IN is kept, as far as there is any.
    assert row["physio_seconds"] == pytest.approx(24 + writer.ONSET)
    assert row["mismatch"] == pytest.approx(0, abs=1 / 30)
    assert (row["offset"], row["confidence"], row["repeated"]) == (None, None, None)


@pytest.mark.parametrize(
    ("change", "options", "reason"),
    [
        ({"video": None}, {}, "no video"),
        ({"video": None, "status": "excluded", "reason": "ECG is empty"}, {}, "ECG is empty"),
        ({}, {"heart": "ECG"}, "no ECG to compare the video with"),
        ({}, {"heart": None}, "no heart channel to compare the video with"),
        ({"subject": "sub-02"}, {}, "no PPG to compare the video with"),
        ({"video": "README"}, {}, "README: cannot be read as video"),
    ],
)
def test_what_cannot_be_measured_has_a_reason(pale, change, options, reason):
    root, recording = pale
    row = synced(root, recording | change, **options)
    assert row["reason"].startswith(reason)
    assert row["offset"] is None


def test_recording_without_faces_keeps_its_timing(pale, tmp_path):
    row = synced(*pale, openface=tmp_path)
    assert row["reason"] == "a face in 0 frames, too few for a pulse"
    assert row["n_frames"] > 0


@pytest.fixture
def stage(recorded, tmp_path, monkeypatch, unsent):
    """stage(**settings): the one row of the stage's table on a late video."""
    root, recording = recorded(0.4, 2.0)
    data = tmp_path / "data" / "mine"
    shutil.copytree(root, data)
    (tmp_path / "pipeline_lib").symlink_to(Path("pipeline_lib").resolve())
    full = {name: recording.get(name) for name in SOURCES} | {"video_sha256": "v"}
    tables.write_table(pl.DataFrame([full], schema=dict(SOURCES)), data / "sources.parquet")
    entry = {"recording_id": recording["recording_id"], "subject": "sub-01", "key": "k"}
    ledger = pl.DataFrame([dict.fromkeys(LEDGER) | entry], schema=dict(LEDGER))
    tables.write_table(ledger, data / "openface" / "_ledger.parquet")
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["datasets"]["mine"] = params["datasets"]["sample"] | {"root": str(data), "heart": "PPG"}
    params["execution"]["jobs"] = 1
    monkeypatch.chdir(tmp_path)

    def run(**settings: bool) -> dict:
        changed = params | {"sync": params["sync"] | settings}
        Path("params.yaml").write_text(yaml.safe_dump(changed))
        sync.main("mine")
        (row,) = tables.read_table(data / "sync.parquet", SYNC).to_dicts()
        return row

    return run


def test_the_stage_measures_and_moves_nothing_unasked(stage):
    row = stage()
    assert (row["offset"], row["shift"], row["constant"]) == (None, 0.0, True)


def test_the_stage_moves_the_video_if_asked_to(stage):
    row = stage(estimate=True, apply=True)
    assert row["shift"] == row["offset"] == pytest.approx(0.4, abs=0.1)


def table(**columns) -> pl.DataFrame:
    rows = {"recording_id": ["a", "b", "c", "d"]} | columns
    schema = {name: dtype for name, dtype in MEASURED.items() if name in rows}
    missing = [pl.lit(None, dtype).alias(name) for name, dtype in MEASURED.items()
               if name not in rows]  # fmt: skip
    return pl.DataFrame(rows, schema=schema).with_columns(missing)


def test_only_what_is_trusted_shifts():
    measured = table(offset=[0.4, -0.7, 0.2, None], confidence=[0.9, 0.5, 0.49, None])
    applied = with_shift(measured, apply=True, min_confidence=0.5)
    assert validate(applied, SYNC, "sync")["shift"].to_list() == [0.4, -0.7, 0, 0]
    assert with_shift(measured, apply=False, min_confidence=0.5)["shift"].to_list() == [0] * 4


def test_shift_moves_the_video_and_the_sound_in_it():
    sync = with_shift(
        table(offset=[0.4, -0.7, 0.4, None], confidence=[1.0, 1.0, 1.0, None]),
        apply=True,
        min_confidence=0.5,
    )
    columns = {
        "recording_id": ["b", "a", "c", "d"],
        "video": ["b.mp4", "a.mp4", "c.mp4", None],
        "video_start": [-5.0, 0.0, 1.0, None],
        "audio": [None, "a.mp4", "c.wav", "d.wav"],
        "audio_start": [None, 0.0, 1.0, 2.0],
    }
    schema = {name: dtype for name, dtype in RECORDINGS.items() if name in columns}
    moved = shifted(pl.DataFrame(columns, schema=schema), sync)
    assert moved.schema == schema
    assert moved["recording_id"].to_list() == columns["recording_id"]
    np.testing.assert_allclose(moved["video_start"][:3], [-4.3, -0.4, 0.6])
    assert moved["audio_start"].to_list() == [None, -0.4, 1.0, 2.0]
