"""The stage on a few recordings, one of which has everything, one nothing, one a bad heart."""

import re
from pathlib import Path

import neurokit2 as nk
import numpy as np
import polars as pl
import pytest

from pipeline_lib.core import tables
from pipeline_lib.core.schema import FEATURES, PHYSIO, VISUAL
from pipeline_lib.physio.face_summary import visual_features
from pipeline_lib.physio.heart import HEART_FEATURES
from pipeline_lib.physio.quality_indices import QUALITY_INDICES
from pipeline_lib.physio.skin import EDA_FEATURES
from stages import handcraft

SECONDS, RATE = 40, 128
NAMES = VISUAL["stressid42"]


def stored(recording_id: str, visual: np.ndarray | None, *, n_times: int) -> dict:
    row = {
        "recording_id": recording_id,
        "subject": recording_id.split("_")[0],
        "n_frames": 0 if visual is None else len(visual),
        "visual": None if visual is None else visual.ravel().tolist(),
        "face_share": None if visual is None else 0.5,
        "n_times": n_times,
    }
    return dict.fromkeys(FEATURES) | row


def channel(recording_id: str, name: str, x: np.ndarray) -> tuple:
    return (recording_id, name, "uS" if name == "EDA" else "mV", float(RATE), 0.0, 0.8, x)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The features and the quality indices that the stage writes."""
    folder = tmp_path_factory.mktemp("handcraft")
    (folder / "params.yaml").symlink_to(Path("params.yaml").resolve())
    rng = np.random.default_rng(0)
    ecg = nk.ecg_simulate(SECONDS, sampling_rate=RATE, heart_rate=70, random_state=0)
    eda = nk.eda_simulate(SECONDS, sampling_rate=RATE, scr_number=4, random_state=0)
    visual = rng.random((60, 42)).astype(np.float32)
    features = {
        "P1": [stored("P1_all", visual, n_times=1), stored("P1_none", None, n_times=0)],
        "P2": [stored("P2_noise", visual[:0], n_times=1)],
    }
    noise = rng.normal(size=ecg.size)
    signals = {
        "P1": [channel("P1_all", "ECG", ecg), channel("P1_all", "EDA", eda)],
        "P2": [channel("P2_noise", "ECG", noise), channel("P2_noise", "EDA", 0 * noise)],
    }
    data = folder / "data" / "mine"
    for subject, rows in features.items():
        table = pl.DataFrame(rows, schema=dict(FEATURES))
        tables.write_table(table, tables.shard(data / "features", subject))
        table = pl.DataFrame(signals[subject], schema=dict(PHYSIO), orient="row")
        tables.write_table(table, tables.shard(data / "physio", subject))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        handcraft.main("mine")
    return tuple(
        pl.read_parquet(data / f"{name}.parquet") for name in ("handcraft", "handcraft_quality")
    )


def test_each_recording_has_a_row_of_all_features(made) -> None:
    features, _ = made
    assert features["recording_id"].to_list() == ["P1_all", "P1_none", "P2_noise"]
    assert features["has_video"].to_list() == [True, False, False]
    assert features["has_physio"].to_list() == [True, False, True]
    assert features.columns[3:] == [
        *visual_features(np.empty((0, 42)), names=NAMES),
        *HEART_FEATURES,
        *EDA_FEATURES,
    ]
    assert set(features.dtypes[3:]) == {pl.Float64}


def test_what_is_not_there_is_nan_and_what_is_there_is_not(made) -> None:
    features, _ = made
    every, nothing, noise = (row for row in features.select(pl.col(pl.Float64)).to_numpy())
    assert np.isnan(nothing).all()
    present = dict(zip(features.columns[3:], ~np.isnan(every), strict=True))
    assert present["heart_RMSSD"]
    assert present["EDA_SCR_rate"]
    assert present["visual_AU12_r_std"]
    assert not present["heart_LF"]  # 40 s
    assert np.isnan(noise[-len(EDA_FEATURES) :]).all()  # flat


def test_quality_stands_beside_the_features_not_among_them(made) -> None:
    features, quality = made
    assert quality.columns == ["recording_id", "visual_face_share", *QUALITY_INDICES]
    assert quality["recording_id"].to_list() == features["recording_id"].to_list()
    assert set(quality.columns) & set(features.columns) == {"recording_id"}
    assert quality["heart_likeness"][0] > 0.9 > quality["heart_likeness"][2]


def test_every_feature_and_index_is_documented() -> None:
    text = Path("docs/features.md").read_text()
    named = {name for cell in re.findall(r"^\| (`.*?) \|", text, re.M) for name in cell.split(", ")}
    assert named == {f"`{name}`" for name in (*HEART_FEATURES, *EDA_FEATURES, *QUALITY_INDICES)} | {
        "`visual_NAME_mean`",
        "`visual_NAME_std`",
        "`visual_face_share`",
    }
