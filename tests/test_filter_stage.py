"""The stage takes up what was read again: a start that was corrected is a change."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml

from pipeline_lib.core import tables
from pipeline_lib.core.schema import PHYSIO, SIGNALS, SOURCES

NAMES = {"recording_id": "a_1", "subject": "a"}


def filtered_start(folder: Path, *, start: float) -> float:
    """s of the first filtered sample, of a recording whose samples begin at `start`."""
    data = folder / "data" / "mine"
    source = dict.fromkeys(SOURCES) | NAMES | {"status": "ok", "signals_sha256": "s"}
    tables.write_table(pl.DataFrame([source], schema=dict(SOURCES)), data / "sources.parquet")
    samples = np.random.default_rng(0).normal(size=1000).tolist()
    row = {"recording_id": "a_1", "channel": "ECG", "unit": "mV", "sampling_rate": 128.0,
           "start": start, "source_unit": "", "samples": samples}  # fmt: skip
    shard = tables.shard(data / "signals", "a")
    tables.write_table(pl.DataFrame([row], schema=dict(SIGNALS)), shard)
    assert tables.signal_starts(data / "signals") == {"a_1": [("ECG", start)]}
    subprocess.run([sys.executable, "-m", "stages.filter", "mine"], cwd=folder, check=True)
    return tables.read_table(data / "physio" / "a.parquet", PHYSIO)["start"].item()


def test_a_corrected_start_is_filtered_again(tmp_path):
    for name in ("stages", "pipeline_lib"):
        (tmp_path / name).symlink_to(Path(name).resolve())
    params = yaml.safe_load(Path("params.yaml").read_text())
    mine = params["datasets"]["sample"] | {"root": "data/mine", "window_start": -4.0}
    params["datasets"]["mine"] = mine
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    assert filtered_start(tmp_path, start=0.5) == pytest.approx(0.5)
    assert filtered_start(tmp_path, start=2.0) == pytest.approx(2.0)
