"""Video and signals of whole recordings: a planted offset is found, and moves what it should."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline_lib.core.schema import RECORDINGS, SYNC, validate
from pipeline_lib.sync.measure import MEASURED, sync_recording
from pipeline_lib.sync.shift import shifted, with_shift
from pipeline_lib.twins.bids import writer
from tests.viewer import record


def synced(root: Path, recording: dict, **options) -> dict:
    options = {"heart": "PPG", "estimate": True, "max_offset": 2.0} | options
    result = sync_recording(
        recording, root=root, signals=root / "signals", openface=root / "openface", **options
    )
    (row,) = validate(result.table, MEASURED, "sync").to_dicts()
    assert (result.status, result.reason) == ("partial" if row["reason"] else "ok", row["reason"])
    return row


@pytest.mark.parametrize("offset", [0.4, -0.7])
def test_planted_offset_is_found(tmp_path, asset, offset):
    row = synced(tmp_path, record(tmp_path, asset, offset=offset, pulse=2.0))
    assert row["offset"] == pytest.approx(offset, abs=0.1)
    assert row["confidence"] > 0.6
    assert row["reason"] == ""


@pytest.fixture(scope="module")
def pale(tmp_path_factory, asset):
    """A recording whose skin shows no pulse."""
    root = tmp_path_factory.mktemp("pale")
    return root, record(root, asset, offset=0.4, pulse=0.0)


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


def test_recording_without_faces_keeps_its_timing(tmp_path, asset):
    recording = record(tmp_path, asset, offset=0.0, pulse=0.0, openface=False)
    row = synced(tmp_path, recording)
    assert row["reason"] == "a face in 0 frames, too few for a pulse"
    assert row["n_frames"] > 0


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
