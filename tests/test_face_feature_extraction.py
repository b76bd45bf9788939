"""The embedded command on real clips: its CSVs, its exit codes, and real OpenFace beside it."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

from pipeline_lib.core.schema import AU_INTENSITIES, GAZE_VECTORS, LANDMARKS
from pipeline_lib.face import feature_extraction, landmarker
from pipeline_lib.face.command_line import parse
from pipeline_lib.face.landmarker import SetupError, check_libraries
from pipeline_lib.face.openface_csv import GROUPS, read_csv
from pipeline_lib.video.decode import frame_times

Asset = Callable[[str], Path]
Floats = npt.NDArray[np.float64]

ROOT = Path(__file__).parents[1]
REFERENCE = Path(__file__).with_name("openface_2_neutral_then_smiling.csv")
FPS = 5.0  # Hz


@dataclass(frozen=True)
class Extraction:
    folder: Path
    code: int
    stderr: str

    def table(self, name: str) -> pl.DataFrame:
        return read_csv(self.folder / f"{name}.csv")


def command(folder: Path, model: Path, *arguments: object) -> Extraction:
    words = [sys.executable, "-m", feature_extraction.COMMAND, "-model", model, *arguments]
    done = subprocess.run(
        [*map(str, words), "-out_dir", str(folder), "-q"], capture_output=True, text=True, cwd=ROOT
    )
    return Extraction(folder, done.returncode, done.stderr)


@pytest.fixture(scope="module")
def model(asset: Asset) -> Path:
    return asset("face_landmarker")


@pytest.fixture(scope="module")
def whole(asset: Asset, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Extraction:
    """All frames of the clip that real OpenFace measured too."""
    return command(tmp_path_factory.mktemp("whole"), model, "-f", asset("neutral_then_smiling"))


@pytest.fixture(scope="module")
def batch(asset: Asset, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Extraction:
    """Several clips at a lower rate, in one process, one of them unreadable."""
    folder = tmp_path_factory.mktemp("batch")
    (folder / "empty.mp4").touch()
    names = ["sad_then_laughing", "empty", "neutral_then_smiling", "face_leaves", "no_face"]
    videos = [folder / "empty.mp4" if name == "empty" else asset(name) for name in names]
    pairs = [x for video, n in zip(videos, names, strict=True) for x in ("-f", video, "-of", n)]
    return command(folder, model, "-fps", FPS, *pairs)


def series(table: pl.DataFrame, column: str) -> Floats:
    return table[column].to_numpy().astype(np.float64)


def correlation(found: pl.DataFrame, expected: pl.DataFrame, column: str) -> float:
    return float(np.corrcoef(series(found, column), series(expected, column))[0, 1])


@pytest.fixture(scope="module")
def reference() -> pl.DataFrame:
    text = pl.read_csv(REFERENCE, infer_schema=False).rename(str.strip)
    return text.select(pl.all().str.strip_chars().cast(pl.Float64))


def test_a_row_a_frame_at_decoded_times(asset: Asset, whole: Extraction) -> None:
    assert (whole.code, whole.stderr) == (0, "")
    table = whole.table(asset("neutral_then_smiling").stem)
    assert table["frame"].to_list() == list(range(1, 73))
    times = frame_times(asset("neutral_then_smiling"))
    np.testing.assert_allclose(table["timestamp"], times, atol=0.0006)
    assert table["success"].all()


def test_gaze_and_pose_lie_near_real_openface(
    asset: Asset, whole: Extraction, reference: pl.DataFrame
) -> None:
    table = whole.table(asset("neutral_then_smiling").stem)
    for eye in (0, 1):
        vectors = [GAZE_VECTORS[3 * eye : 3 * eye + 3]]
        products = [series(table, n) * series(reference, n) for columns in vectors for n in columns]
        assert np.degrees(np.arccos(np.sum(products, axis=0))).mean() < 8
    off = {
        name: series(table, name) - series(reference, name)
        for name in ("pose_Tx", "pose_Ty", "pose_Tz", "pose_Rx", "pose_Ry", "pose_Rz")
    }
    assert all(abs(off[f"pose_R{axis}"].mean()) < 0.03 for axis in "xyz")  # rad
    assert all(abs(off[f"pose_T{axis}"].mean()) < 5 for axis in "xy")  # mm
    assert abs(off["pose_Tz"].mean()) < 0.03 * series(reference, "pose_Tz").mean()
    for axis in "xy":
        angle = f"gaze_angle_{axis}"
        assert abs(series(table, angle) - series(reference, angle)).mean() < 0.07  # rad
    assert all(correlation(table, reference, f"pose_T{axis}") > 0.9 for axis in "xy")


def eyes(table: pl.DataFrame, axes: str = "xy") -> Floats:
    """Landmarks (n_frames, 56, n_axes) of both eyes."""
    columns = [[series(table, f"eye_lmk_{axis}_{i}") for i in range(56)] for axis in axes]
    return np.array(columns).T


def test_eye_landmarks_are_those_of_real_openface(
    asset: Asset, whole: Extraction, reference: pl.DataFrame
) -> None:
    table = pl.read_csv(whole.folder / f"{asset('neutral_then_smiling').stem}.csv")
    found, expected = (eyes(t).reshape(-1, 2, 28, 2) for t in (table, reference))
    irises = found[:, :, :8].mean(axis=2) - expected[:, :, :8].mean(axis=2)
    assert np.linalg.norm(irises, axis=-1).mean(axis=0).max() < 3  # px; the irises are 14 wide
    for part in (slice(8), slice(8, 20), slice(20, 28)):  # iris, lids, pupil
        ours, theirs = (
            (x[:, :, part] - x[:, :, part].mean(axis=2, keepdims=True)).mean(axis=0)
            for x in (found, expected)
        )
        distances = np.linalg.norm(ours[:, :, None] - theirs[:, None], axis=-1)
        assert (distances.argmin(axis=2) == np.arange(ours.shape[1])).all()
        assert distances.diagonal(axis1=1, axis2=2).mean() < 1.5  # px


def test_eye_landmarks_in_mm_are_seen_where_those_in_px_are(
    asset: Asset, whole: Extraction
) -> None:
    table = pl.read_csv(whole.folder / f"{asset('neutral_then_smiling').stem}.csv")
    space, focal = eyes(table, "XYZ"), (500 + 500 * 360 / 480) / 2  # of 640x360 px
    seen = focal * space[..., :2] / space[..., 2:] + [320, 180]
    assert abs(seen - eyes(table)).max() < 0.2  # one decimal is written
    near = space[..., 2] - series(table, "pose_Tz")[:, None]
    assert abs(near).max() < 25  # mm, of the middle of the face
    radius = np.linalg.norm(space[:, 0] - space[:, 4], axis=-1).mean() / 2
    assert radius == pytest.approx(6, abs=0.5)  # mm, of a human iris


def test_landmarks_lie_where_they_belong(asset: Asset, whole: Extraction) -> None:
    row = whole.table(asset("neutral_then_smiling").stem).row(0, named=True)
    x = np.array([row[name] for name in LANDMARKS[:68]])
    y = np.array([row[name] for name in LANDMARKS[68:]])
    assert (np.diff(x[17:27]) > 0).all()  # brows, from left to right
    assert y.argmax() == 8  # the chin is the lowest
    assert y[17:27].max() < y[36:48].min()  # brows above eyes
    assert x[36:42].max() < x[42:48].min()  # left eye, right eye
    assert (np.diff(y[27:31]) > 0).all()  # down the nose
    assert y[31:36].max() < y[48:68].min()  # nose above mouth
    assert x[60:68].min() > x[48:60].min()  # inner lips inside the outer
    assert x[60:68].max() < x[48:60].max()


def test_a_bad_input_has_its_line_and_costs_no_other(batch: Extraction) -> None:
    assert batch.code == 3
    (line,) = batch.stderr.strip().splitlines()
    assert "empty.mp4: cannot be read as video" in line
    written = sorted(path.stem for path in batch.folder.glob("*.csv"))
    assert written == ["face_leaves", "neutral_then_smiling", "no_face", "sad_then_laughing"]


def test_only_the_frames_nearest_to_a_rate_are_read(batch: Extraction) -> None:
    table = batch.table("sad_then_laughing")
    assert table.height == pytest.approx(19.7 * FPS, abs=1)
    np.testing.assert_allclose(table["timestamp"], np.arange(table.height) / FPS, atol=0.022)
    np.testing.assert_allclose(table["timestamp"], (table["frame"] - 1) / 23.976, atol=0.001)


def test_a_face_that_leaves_is_lost_from_then_on(batch: Extraction) -> None:
    success = batch.table("face_leaves")["success"].to_list()
    assert all(success[: round(0.5 * FPS)])
    assert not any(success[-round(FPS) :])
    assert not batch.table("no_face")["success"].any()
    written = pl.read_csv(batch.folder / "face_leaves.csv")
    assert (eyes(written)[written["success"] == 1] != 0).all()
    assert (eyes(written, "xyXYZ")[written["success"] == 0] == 0).all()


def test_a_result_does_not_depend_on_what_was_read_before(
    asset: Asset, model: Path, batch: Extraction, tmp_path: Path
) -> None:
    video = asset("neutral_then_smiling")
    alone = command(tmp_path, model, "-fps", FPS, "-f", video, "-of", "alone.csv", "-aus")
    assert alone.code == 0
    text = (tmp_path / "alone.csv").read_text().splitlines()
    assert text[0].split(",")[5:] == list(GROUPS["-aus"])
    assert text[0].split(",")[5] == AU_INTENSITIES[0]
    together = pl.read_csv(batch.folder / "neutral_then_smiling.csv")
    assert pl.read_csv(tmp_path / "alone.csv").equals(together.select(text[0].split(",")))


def test_a_model_that_is_not_there_or_none_is_set_up_failure(tmp_path: Path) -> None:
    broken = tmp_path / "broken.task"
    broken.write_text("not a model")
    for model in (tmp_path / "nowhere.task", broken):
        failed = command(tmp_path, model, "-f", tmp_path / "any.mp4")
        assert failed.code == 1
        assert failed.stderr.startswith(f"{model}: MediaPipe cannot load this model")
        assert "dvc repro assets" in failed.stderr


def test_without_a_model_it_says_how_to_fetch_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert feature_extraction.main(["-f", "any.mp4"]) == 1
    assert "dvc repro assets" in capsys.readouterr().err


def test_an_output_that_cannot_be_written_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "out"
    assert feature_extraction.main(["-f", "any.mp4", "-out_dir", str(out)]) == 1
    assert str(out) in capsys.readouterr().err


def test_a_missing_system_library_is_named_with_its_package(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(landmarker, "LIBRARIES", ("libEGL.so.none",))
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(SetupError, match=r"libEGL\.so\.none.*apt-get install libegl1 libgles2"):
        check_libraries()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-q"], "-f"),
        (["-f", "a.mp4", "-of", "a", "-of", "b"], "2 -of for 1 -f"),
        (["-f", "a.mp4", "-fps", "0"], "-fps is 0.0"),
        (["-f", "d1/v.mp4", "-f", "d2/v.avi"], "d1/v.mp4 and d2/v.avi would both write v.csv"),
        (["-f", "a", "-f", "b", "-of", "x.csv", "-of", "./x"], "a and b would both write x.csv"),
        (["-f", "a.mp4", "-unknown"], "unrecognized arguments: -unknown"),
        (["-fdir", "nowhere"], "nowhere: No such file or directory"),
    ],
)
def test_wrong_usage_ends_with_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in refusal(arguments, capsys)


def refusal(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        feature_extraction.main(arguments)
    assert ended.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("value", [[], ["112"]])
@pytest.mark.parametrize(
    "option",
    [
        *("-3Dfp", "-pdmparams", "-hogalign", "-simalign", "-tracked", "-simsize", "-nomask"),
        *("-mloc", "-au_static", "-wild", "-fx"),
    ],
)
def test_an_option_of_openface_that_is_not_offered_is_named(
    option: str, value: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    said = refusal([option, *value, "-f", "a.mp4"], capsys)
    assert f"{option} is an option of OpenFace that this program does not offer" in said


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path: Path) -> None:
    for name in ("b.mp4", "a.AVI", "notes.txt", "._b.mp4", "c.of.mkv"):
        (tmp_path / name).touch()
    (tmp_path / "folder.mp4").mkdir()
    options = parse(["-fdir", str(tmp_path), "-f", "x.mp4", "-of", "y"], command="", description="")
    assert [video.name for video in options.f] == ["x.mp4", "a.AVI", "b.mp4", "c.of.mkv"]
    assert options.of == ["y", "a", "b", "c.of"]


def test_a_folder_of_pictures_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "frame_1.png").touch()
    said = refusal(["-fdir", str(tmp_path)], capsys)
    assert f"none of the 1 files in {tmp_path} is a video by its name" in said


def test_a_csv_that_cannot_be_written_has_its_line_and_costs_no_other(
    asset: Asset, model: Path, tmp_path: Path
) -> None:
    (tmp_path / "taken.csv").mkdir()
    clip = asset("neutral_then_smiling")
    inputs = ["-f", clip, "-of", "taken", "-f", clip, "-of", "free"]
    done = command(tmp_path, model, *inputs, "-fps", 1)
    assert done.code == 3
    assert done.stderr == f"{clip}: {tmp_path}/taken.csv cannot be written: Is a directory\n"
    assert done.table("free").height == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["free.csv", "taken.csv"]
