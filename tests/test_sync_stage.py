"""The stage on a late video: found on request, moved on request."""

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import yaml

from pipeline_lib.core import tables
from pipeline_lib.core.schema import LEDGER, SOURCES, SYNC
from tests.viewer import record


@pytest.fixture(scope="module")
def project(tmp_path_factory, asset) -> Path:
    """A folder with the code and with what the stages before this one make of one recording."""
    folder = tmp_path_factory.mktemp("late")
    for name in ("stages", "pipeline_lib"):
        (folder / name).symlink_to(Path(name).resolve())
    data = folder / "data" / "mine"
    data.mkdir(parents=True)
    recording = record(data, asset, offset=0.4, pulse=2.0)
    full = {name: recording.get(name) for name in SOURCES} | {"video_sha256": "v"}
    sources = pl.DataFrame([full], schema=dict(SOURCES))
    tables.write_table(sources, data / "sources.parquet")
    entry = {"recording_id": recording["recording_id"], "subject": "sub-01", "key": "k"}
    ledger = pl.DataFrame([dict.fromkeys(LEDGER) | entry], schema=dict(LEDGER))
    tables.write_table(ledger, data / "openface" / "_ledger.parquet")
    return folder


def sync(folder: Path, **settings: object) -> dict:
    """The one row of the stage's table."""
    params = yaml.safe_load(Path("params.yaml").read_text())
    mine = params["datasets"]["sample"] | {"root": "data/mine", "heart": "PPG"}
    params |= {"datasets": params["datasets"] | {"mine": mine}}
    params["sync"] |= settings
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    subprocess.run([sys.executable, "-m", "stages.sync", "mine"], cwd=folder, check=True)
    (row,) = tables.read_table(folder / "data" / "mine" / "sync.parquet", SYNC).to_dicts()
    return row


def test_nothing_is_measured_or_moved_unasked(project):
    row = sync(project)
    assert (row["offset"], row["shift"], row["constant"]) == (None, 0.0, True)


def test_offset_moves_the_video_if_asked_to(project):
    row = sync(project, estimate=True, apply=True)
    assert row["shift"] == row["offset"] == pytest.approx(0.4, abs=0.1)
