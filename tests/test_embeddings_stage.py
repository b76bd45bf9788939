"""The stage on real clips: every encoder of `scale: tiny`, what fails, what is not done again."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml

from pipeline_lib.core import paths, tables
from pipeline_lib.core.schema import EMBEDDINGS, LEDGER, SOURCES, SYNC
from pipeline_lib.embeddings import encoders
from pipeline_lib.params import load_params
from stages import embed
from tests.test_embeddings_image import openface

N = 4
ENCODERS = [*load_params().embeddings["tiny"].model_dump()]
WIDTHS = dict(zip(ENCODERS, (1280, 1280, 128, 128, 384, 256, 27), strict=True))


@pytest.fixture(scope="module")
def project(tmp_path_factory, asset) -> Path:
    """A folder with the code and what the stages before this one make of three recordings."""
    folder = tmp_path_factory.mktemp("embed")
    for name in ("stages", "pipeline_lib", "assets"):
        (folder / name).symlink_to(Path(name).resolve())
    data = folder / "data" / "mine"
    data.mkdir(parents=True)
    (data / "talk.mp4").symlink_to(asset("neutral_then_smiling").resolve())
    (data / "broken.mp4").write_bytes(b"no video")
    rows = [
        {"recording_id": "r", "subject": "s", "video": "talk.mp4", "video_start": 0.5},
        {"recording_id": "broken", "subject": "s", "video": "broken.mp4", "video_start": 0.0},
        {"recording_id": "none", "subject": "s", "video": None},
    ]
    shared = {"status": "ok", "reason": "", "duration": 2.4}
    sources = [
        dict.fromkeys(SOURCES) | shared | row | {"video_sha256": row["video"]} for row in rows
    ]
    tables.write_table(pl.DataFrame(sources, schema=dict(SOURCES)), data / "sources.parquet")
    sync = [dict.fromkeys(SYNC) | {"recording_id": r["recording_id"], "shift": 0.0} for r in rows]
    tables.write_table(pl.DataFrame(sync, schema=dict(SYNC)), data / "sync.parquet")
    ledger = [
        dict.fromkeys(LEDGER) | {"recording_id": r["recording_id"], "status": "ok", "key": "k"}
        for r in rows
    ]
    tables.write_table(pl.DataFrame(ledger, schema=dict(LEDGER)), paths.ledger(data / "openface"))
    openface(data / "openface", seconds=3)
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["datasets"]["mine"] = params["datasets"]["hume_reaction"] | {"root": "data/mine"}
    params["execution"]["jobs"], params["max_failed"] = 1, 1.0
    params["sampling"]["frames"] = N
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    return folder


def run(project: Path, monkeypatch: pytest.MonkeyPatch, encoder: str) -> tuple[Any, Any]:
    """The stage's rows and its ledger by recording."""
    monkeypatch.chdir(project)
    embed.main("mine", encoder)
    out = paths.embeddings("mine", encoder)
    ledger = tables.read_table(paths.ledger(out), LEDGER)
    return tables.read_shards(out, EMBEDDINGS), {r["recording_id"]: r for r in ledger.to_dicts()}


@pytest.mark.parametrize("encoder", ENCODERS)
def test_every_encoder_gives_tokens_and_names_what_failed(project, monkeypatch, encoder, unsent):
    rows, ledger = run(project, monkeypatch, encoder)
    row = next(row for row in rows.to_dicts() if row["recording_id"] == "r")
    assert row["width"] == WIDTHS[encoder]
    assert row["times"][0] == 0.5
    values = np.array(row["values"]).reshape(N, -1)
    assert values.shape == (N, WIDTHS[encoder])
    assert ledger["broken"]["status"] == "failed"
    assert "broken.mp4" in ledger["broken"]["reason"]
    if encoder == "audio":  # these clips have no sound
        assert ledger["r"]["reason"] == "no sound"
        assert np.isnan(values).all()
    else:
        assert ledger["r"]["status"] == "ok"
        assert ledger["none"]["reason"] == "no video"
        assert ledger["r"]["faces"] == (None if encoder.endswith("_whole") else N)
        assert not np.isnan(values).all(axis=1).any()


def test_what_is_done_is_not_done_again(project, monkeypatch, unsent):
    first, _ = run(project, monkeypatch, "fau")
    Path("data/mine/broken.mp4").unlink()
    Path("data/mine/broken.mp4").symlink_to(Path("data/mine/talk.mp4").resolve())
    monkeypatch.setattr(
        "pipeline_lib.embeddings.facial_action.sample_times",
        lambda video, n: pytest.fail("again") if video.name == "talk.mp4" else np.zeros(n),
    )
    again, ledger = run(project, monkeypatch, "fau")
    assert ledger["broken"]["status"] == "partial"  # a failure is tried again
    row = again.filter(recording_id="r")
    assert row.equals(first.filter(recording_id="r"), null_equal=True)


def test_tokens_depend_on_faces_only_where_these_are_looked_at():
    tiny = load_params().embeddings["tiny"]
    assert {name for name in ENCODERS if encoders.sees_faces(getattr(tiny, name))} == {
        "image_base", "image_face", "caption", "fau",
    }  # fmt: skip
    row = dict.fromkeys(SOURCES) | {"recording_id": "r"}
    for name in ENCODERS:
        before, after = (
            encoders.inputs(getattr(tiny, name), extracted={"r": key})(row) for key in "ab"
        )
        assert (before == after) == (name in ("image_base_whole", "image_face_whole", "audio"))
