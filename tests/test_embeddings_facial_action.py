"""Facial-action tokens: OpenFace's units and Py-Feat's file, and emotions out of units."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline_lib.core import tables
from pipeline_lib.core.schema import OPENFACE
from pipeline_lib.embeddings import pyfeat_csv
from pipeline_lib.embeddings.facial_action import embed_recording, emotions, from_openface
from pipeline_lib.embeddings.units import EMOTIONS, UNITS
from pipeline_lib.params import FacialActions
from pipeline_lib.recordings import RecordingError
from pipeline_lib.video.encode import write_video

SPOKEN = {"success": True, "backend": "embedded", "recording_id": "r"}


def rows(**columns) -> pl.DataFrame:
    table = pl.DataFrame(dict.fromkeys(OPENFACE, 0.0) | SPOKEN | columns)
    return table.select(pl.col(name).cast(dtype) for name, dtype in OPENFACE.items())


def column(values: np.ndarray, unit: int) -> list[float]:
    return values[:, UNITS.index(unit)].tolist()


def shown(*units: int) -> np.ndarray:
    """(1, 20) these units in full and no other, as OpenFace has them."""
    values = np.array([[float(unit in units) for unit in UNITS]])
    values[:, [UNITS.index(11), UNITS.index(24)]] = np.nan
    return values


def recording(tmp_path: Path) -> dict:
    """One second of video."""
    frames = [np.zeros((32, 32, 3), np.uint8)] * 25
    write_video(tmp_path / "clip.mp4", frames, frame_rate=25)
    return {"recording_id": "r", "subject": "s", "video": "clip.mp4", "video_start": 2.0}


def embed(tmp_path: Path, **settings):
    return embed_recording(
        recording(tmp_path),
        root=tmp_path,
        openface=tmp_path / "openface",
        config=FacialActions(pyfeat=settings.get("pyfeat")),
        n=5,
    )


def values(result) -> np.ndarray:
    (row,) = result.table.to_dicts()
    assert row["width"] == 27
    return np.array(row["values"]).reshape(-1, 27)


def test_units_of_openface_run_from_0_to_1_and_those_it_lacks_are_missing():
    found = from_openface(
        rows(AU12_r=[5.0, 2.5], AU45_r=[0.0, 1.0], AU28_c=[0.0, 1.0], success=[True, True])
    )
    assert found.shape == (2, 27)
    assert column(found, 12) == [1.0, 0.5]
    np.testing.assert_allclose(column(found, 43), [0.0, 0.2])  # the blink stands for the closed eye
    assert column(found, 28) == [0.0, 1.0]
    assert np.isnan([column(found, 11), column(found, 24)]).all()


@pytest.mark.parametrize(
    ("units", "emotion"),
    [((12, 25, 6), "happiness"), ((4, 15, 17), "sadness"), ((1, 4, 20, 25), "fear"),
     ((4, 7, 23), "anger"), ((1, 2, 25, 26), "surprise"), ((9, 10, 17), "disgust"),
     ((), "neutral")],
)  # fmt: skip
def test_prototypes_are_told_apart(units, emotion):
    scores = emotions(shown(*units))[0]
    assert EMOTIONS[int(scores.argmax())] == emotion
    assert ((scores >= 0) & (scores <= 1)).all()


def test_tokens_are_those_of_the_nearest_frame_with_a_face(tmp_path):
    table = rows(time=[0.0, 0.25, 0.5], AU12_r=[1.0, 2.0, 3.0], success=[True, False, True])
    tables.write_table(table, tables.shard(tmp_path / "openface", "s"))
    found = embed(tmp_path)
    assert (found.status, found.reason, found.faces) == ("partial", "no face at 1 of 5 frames", 4)
    np.testing.assert_allclose(found.table["times"][0], [2.0, 2.24, 2.48, 2.76, 2.96])
    smiles = column(values(found), 12)
    np.testing.assert_allclose(smiles, [0.2, np.nan, 0.6, 0.6, 0.6], atol=1e-6)
    assert np.isnan(values(found)[1]).all()


def test_without_rows_all_tokens_are_missing(tmp_path):
    found = embed(tmp_path)
    assert found.reason == "no face at 5 of 5 frames"
    assert np.isnan(values(found)).all()


@pytest.mark.parametrize("name", ["r.csv", "clip.csv"])
def test_py_feats_file_is_taken_as_it_is(tmp_path, name):
    frames = [0, 0, 12, 24]  # two faces in the first
    smile = [0.25, 0.9, None, 0.75]
    table = {"frame": frames} | {
        column: smile if column == "AU12" else [None if s is None else 0.5 for s in smile]
        for column in pyfeat_csv.COLUMNS
    }
    pl.DataFrame(table).write_csv(tmp_path / name)
    found = embed(tmp_path, pyfeat=str(tmp_path))
    np.testing.assert_allclose(column(values(found), 12), [0.25, 0.25, np.nan, 0.75, 0.75])
    assert values(found)[0, -7:].tolist() == [0.5] * 7
    assert found.faces == 4


def test_py_feats_file_is_missed_by_name_and_by_column(tmp_path):
    with pytest.raises(RecordingError, match=r"neither r.csv nor clip.csv"):
        embed(tmp_path, pyfeat=str(tmp_path))
    pl.DataFrame({"frame": [0], "AU01": [0.0]}).write_csv(tmp_path / "r.csv")
    with pytest.raises(RecordingError, match=r"r.csv: no column AU02"):
        embed(tmp_path, pyfeat=str(tmp_path))
