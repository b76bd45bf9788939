"""Two extractors compared: frames joined rightly, errors as planted, what cannot be said unsaid."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from scipy.spatial.transform import Rotation
from scipy.stats import pearsonr
from sklearn.metrics import roc_auc_score

from metrics.agreement import icc
from pipeline_lib.core.schema import AU_INTENSITIES, AU_PRESENCES, GAZE_VECTORS, LANDMARKS, POSE
from pipeline_lib.face.openface_csv import GROUPS, CSVError, write_csv
from pipeline_lib.face_study.agreement import COMPARED, NOT_COMPARED, main
from pipeline_lib.face_study.comparison import Comparison, compare
from pipeline_lib.report import figures

Floats = npt.NDArray[np.float64]
Change = Callable[[dict[str, float], float], dict[str, float]]

RATE, N_FRAMES = 30.0, 90
TIMES = np.arange(N_FRAMES) / RATE
REFERENCE = Path(__file__).with_name("openface_2_neutral_then_smiling.csv")


def smile(time: float) -> float:
    return float(2 + 2 * np.sin(2 * np.pi * time))


def measured(time: float) -> dict[str, float]:
    """A face that smiles once a second, looks into the camera and has eyes 60 px apart."""
    row = dict.fromkeys((*AU_INTENSITIES, *AU_PRESENCES, *POSE), 0.0)
    row |= {"AU12_r": smile(time), "AU12_c": float(smile(time) > 2.1), "pose_Tz": 500.0}
    row |= dict(zip(GAZE_VECTORS, [0.0, 0.0, -1.0] * 2, strict=True))
    row |= {name: float(100 + int(name[2:])) for name in LANDMARKS}
    return row | {"x_36": 100.0, "y_36": 100.0, "x_45": 160.0, "y_45": 100.0}


def csv(
    path: Path,
    change: Change = lambda row, _: row,
    *,
    times: Floats = TIMES,
    frames: list[int] | None = None,
    lost: range = range(0),
    options: Any = GROUPS,
) -> Path:
    """A file of these frames; those in `lost`, by number, have no face."""
    numbers = frames or [*range(1, len(times) + 1)]
    rows = [
        {"frame": number, "timestamp": time}
        | (
            {"confidence": 0, "success": 0}
            if number in lost
            else {"confidence": 1, "success": 1, **change(measured(time), time)}
        )
        for number, time in zip(numbers, times.tolist(), strict=True)
    ]
    write_csv(rows, path, options=options)
    return path


def found(a: Path, b: Path) -> Comparison:
    return compare(a, b, join="auto", tolerance=None)


def unit(comparison: Comparison, name: str) -> dict[str, Any]:
    return comparison.units.row(by_predicate=pl.col("unit") == name, named=True)


def test_a_file_agrees_with_itself(tmp_path: Path) -> None:
    same = csv(tmp_path / "a.csv")
    comparison = found(same, same)
    row = unit(comparison, "AU12")
    assert [row[name] for name in ("r", "icc_3_1", "icc_2_1", "auc", "f1", "kappa")] == (
        pytest.approx([1.0] * 6)
    )
    assert max(spread.p95 for spread in comparison.errors.values()) == pytest.approx(0, abs=1e-6)
    assert comparison.success == {"both": N_FRAMES, "only A": 0, "only B": 0, "neither": 0}


def test_numbers_are_those_of_other_libraries(tmp_path: Path) -> None:
    noise = iter(np.random.default_rng(0).normal(0, 0.8, N_FRAMES))

    def noisy(row: dict[str, float], _: float) -> dict[str, float]:
        return row | {"AU12_r": float(np.clip(row["AU12_r"] + next(noise), 0, 5))}

    comparison = found(csv(tmp_path / "a.csv", noisy), csv(tmp_path / "b.csv"))
    a, b = comparison.pairs["AU12_r"].to_numpy(), comparison.pairs["AU12_r_b"].to_numpy()
    row = unit(comparison, "AU12")
    assert row["r"] == pytest.approx(pearsonr(a, b).statistic, abs=1e-5)
    assert row["auc"] == pytest.approx(roc_auc_score(comparison.pairs["AU12_c_b"].to_numpy(), a))
    assert (row["icc_3_1"], row["icc_2_1"]) == pytest.approx(icc(np.stack([a, b], 1)), abs=1e-5)
    assert (row["mean_a"], row["mean_b"]) == pytest.approx((a.mean(), b.mean()), abs=1e-5)


def test_what_does_not_move_says_so(tmp_path: Path) -> None:
    still = csv(tmp_path / "still.csv", lambda row, _: row | {"AU12_r": 1.0})
    comparison = found(still, csv(tmp_path / "b.csv"))
    assert unit(comparison, "AU12")["intensity_note"] == "does not move in A"
    assert unit(comparison, "AU12")["r"] is None
    assert unit(comparison, "AU04")["intensity_note"] == "does not move in A and B"
    assert unit(comparison, "AU04")["presence_note"] == "never present in B"
    assert comparison.moving.is_empty()


def test_planted_errors_are_found(tmp_path: Path) -> None:
    ten = np.deg2rad(10)

    def off(row: dict[str, float], _: float) -> dict[str, float]:
        turned = {"gaze_0_x": np.sin(ten), "gaze_0_z": -np.cos(ten)}
        moved = {name: row[name] + 3.0 for name in LANDMARKS if name[0] == "x"}
        head = dict(zip(POSE, (3.0, 4.0, 500.0, 0.1, -0.2, 0.3), strict=True))
        return row | turned | moved | head

    errors = found(csv(tmp_path / "a.csv", off), csv(tmp_path / "b.csv")).errors
    head = np.rad2deg(Rotation.from_euler("XYZ", [0.1, -0.2, 0.3]).magnitude())
    means = {name: spread.mean for name, spread in errors.items()}
    expected = {
        "gaze, eye 0, °": 10.0,
        "gaze, eye 1, °": 0.0,
        "gaze, mean of both eyes, °": 5.0,
        "head rotation, °": head,
        "pose_Rx, °": np.rad2deg(0.1),
        "pose_Ry, °": np.rad2deg(0.2),
        "pose_Rz, °": np.rad2deg(0.3),
        "head position, mm": 5.0,
        "landmarks, % of the eyes' distance": 5.0,  # 3 px of 60
    }
    assert means == pytest.approx(expected, abs=1e-3)


def test_the_95th_percentile_is_of_frames(tmp_path: Path) -> None:
    rare = csv(tmp_path / "a.csv", lambda row, time: row | {"pose_Tx": 100.0 * (time > 2.71)})
    spread = found(rare, csv(tmp_path / "b.csv")).errors["head position, mm"]
    assert (spread.mean, spread.p95) == pytest.approx((100 * 8 / 90, 100), abs=1e-3)


def test_only_frames_with_a_face_in_both_count_and_the_others_are_told(tmp_path: Path) -> None:
    wrong = csv(
        tmp_path / "a.csv",
        lambda row, time: row | {"pose_Tx": 100.0 * (time < 0.99)},
        lost=range(41, 61),
    )
    comparison = found(wrong, csv(tmp_path / "b.csv", lost=range(1, 51)))
    assert comparison.success == {"both": 30, "only A": 40, "only B": 10, "neither": 10}
    assert comparison.errors["head position, mm"].mean == pytest.approx(0, abs=1e-3)


def test_fewer_frames_of_the_same_video_are_joined_by_number(tmp_path: Path) -> None:
    kept = [*range(1, N_FRAMES + 1, 3)]
    few = csv(tmp_path / "few.csv", times=(np.array(kept) - 1) / RATE, frames=kept)
    for pair in ((few, csv(tmp_path / "all.csv")), (csv(tmp_path / "all.csv"), few)):
        comparison = found(*pair)
        assert (comparison.joined, comparison.pairs.height) == ("frame", len(kept))
        assert unit(comparison, "AU12")["r"] == pytest.approx(1)


def test_another_frame_rate_is_joined_by_nearest_time(tmp_path: Path) -> None:
    slow = csv(tmp_path / "slow.csv", times=np.arange(30) / 10 + 0.01)
    for pair in ((slow, csv(tmp_path / "b.csv")), (csv(tmp_path / "b.csv"), slow)):
        comparison = found(*pair)
        assert (comparison.joined, comparison.pairs.height) == ("time", 30)
        off = comparison.pairs["timestamp"] - comparison.pairs["timestamp_b"]
        assert np.abs(off.to_numpy()).max() <= 0.5 / RATE
        assert unit(comparison, "AU12")["r"] > 0.99


def test_tolerance_bounds_what_is_joined(tmp_path: Path) -> None:
    late = csv(tmp_path / "late.csv", times=TIMES + 0.25 / RATE)
    b = csv(tmp_path / "b.csv")
    assert compare(late, b, join="time", tolerance=None).pairs.height == N_FRAMES
    with pytest.raises(CSVError, match="0 frames in common by time"):
        compare(late, b, join="time", tolerance=0.1 / RATE)


def test_groups_that_one_lacks_are_left_out_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gaze_only = csv(tmp_path / "a.csv", options=["-gaze"])
    assert main([str(gaze_only), str(csv(tmp_path / "b.csv"))]) == COMPARED
    out = capsys.readouterr().out
    assert "lacks the columns: -pose, -2Dfp, -aus" in out
    assert "gaze, eye 0" in out
    assert "AU12" not in out


def test_real_openface_is_read_and_compared() -> None:
    comparison = found(REFERENCE, REFERENCE)
    assert comparison.missing == ("-2Dfp",)
    assert comparison.moving["r"].to_list() == pytest.approx([1.0] * comparison.moving.height)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n1,2\n", "a.csv: not OpenFace's output, it has no column frame, timestamp"),
        (None, "No such file"),
        ("far", "0 frames in common by time: a.csv has 90 rows, frames 1 to 90, 100.00 to 102.97"),
        ("faceless", "have a face in both in 0 of 90 frames, below 3"),
    ],
)
def test_what_cannot_be_compared_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, message: str
) -> None:
    path = tmp_path / "a.csv"
    if content == "far":
        csv(path, times=100 + TIMES)
    elif content == "faceless":
        csv(path, lost=range(1, N_FRAMES + 1))
    elif content is not None:
        path.write_text(content)
    assert main([str(path), str(csv(tmp_path / "b.csv"))]) == NOT_COMPARED
    assert pl.Series([capsys.readouterr().err]).str.contains(message).item()


def test_the_picture_and_the_table_are_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = csv(tmp_path / "a<1>.csv"), csv(tmp_path / "b.csv")
    out = tmp_path / "new" / "folder"
    assert main([str(a), str(b), "--out", str(out)]) == COMPARED
    assert sorted(path.name for path in out.iterdir()) == ["agreement.csv", "agreement.html"]
    html = (out / "agreement.html").read_text().replace(figures.library(), "")
    assert "a&lt;1&gt;.csv" in html
    assert "default-src 'none'" in html
    assert html.count("plotly-graph-div") == 2
    assert str(tmp_path) not in html
    assert pl.read_csv(out / "agreement.csv").height == len(AU_PRESENCES)
    before = (out / "agreement.html").read_bytes()
    main([str(a), str(b), "--out", str(out)])
    assert (out / "agreement.html").read_bytes() == before
    assert "over the 1 action units that move in both, mean r 1.00" in capsys.readouterr().out
