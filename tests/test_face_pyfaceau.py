"""pyfaceau's intensities take the place of the embedded ones, frame by frame, or it is told why."""

import sys
from pathlib import Path

import pandas as pd
import polars as pl
import pytest

from pipeline_lib.core.schema import AU_INTENSITIES, AU_PRESENCES
from pipeline_lib.face import feature_extraction, pyfaceau
from pipeline_lib.face.openface_csv import CSVError, read_csv
from tests import pyfaceau_stand_in as stand_in

CLIP = next(Path("assets/neutral_then_smiling").resolve().glob("*.mp4"))
N_FRAMES = 72


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pyfaceau")


def program(folder: Path, mode: str = "") -> Path:
    path = folder / f"pyfaceau_{mode}"
    path.write_text(f'#!/bin/sh\nexec {sys.executable} {stand_in.__file__} {mode} "$@"\n')
    path.chmod(0o755)
    return path


@pytest.fixture(scope="module")
def merged(folder: Path) -> pl.DataFrame:
    """The clip by its command line, every third frame or so."""
    arguments = ["-pyfaceau", str(program(folder)), "-f", str(CLIP), "-of", "a b.csv", "-q"]
    assert pyfaceau.main([*arguments, "-fps", "10", "-out_dir", str(folder)]) == 0
    return read_csv(folder / "a b.csv")


@pytest.fixture(scope="module")
def embedded(folder: Path) -> pl.DataFrame:
    arguments = ["-f", str(CLIP), "-of", "embedded.csv", "-q", "-fps", "10"]
    assert feature_extraction.main([*arguments, "-out_dir", str(folder)]) == 0
    return read_csv(folder / "embedded.csv")


def test_each_frame_has_pyfaceaus_intensities(merged: pl.DataFrame) -> None:
    theirs = stand_in.rows(N_FRAMES)
    seen = merged.filter("success")
    assert seen.height > 15
    for frame, *units in seen.select("frame", *AU_INTENSITIES).iter_rows():
        expected = [theirs[frame - 1][name] for name in AU_INTENSITIES]
        assert units == pytest.approx(expected, abs=0.0051)


def test_all_else_is_the_embedded_extractors(merged: pl.DataFrame, embedded: pl.DataFrame) -> None:
    assert merged["frame"].to_list() == embedded["frame"].to_list()
    kept = [name for name in embedded.columns if name not in (*AU_INTENSITIES, "success")]
    assert set(AU_PRESENCES) <= set(kept)
    seen = merged["success"]
    assert merged.filter(seen).select(kept).equals(embedded.filter(seen).select(kept))


def test_what_one_of_them_did_not_see_is_not_seen(
    merged: pl.DataFrame, embedded: pl.DataFrame
) -> None:
    lost = [frame - 1 in stand_in.LOST for frame in merged["frame"]]
    assert any(lost)
    assert embedded["success"].all()
    assert merged["success"].to_list() == [not is_lost for is_lost in lost]


def test_the_stand_in_writes_as_pandas_does() -> None:
    for rows in (stand_in.rows(12), stand_in.rows(3, lost=range(3))):
        assert stand_in.text(rows) == pd.DataFrame(rows).to_csv(index=False)


def test_no_face_at_all_is_a_result(folder: Path) -> None:
    arguments = ["-pyfaceau", str(program(folder, "no_face")), "-f", str(CLIP), "-of", "none"]
    assert pyfaceau.main([*arguments, "-q", "-fps", "2", "-out_dir", str(folder)]) == 0
    assert not read_csv(folder / "none.csv")["success"].any()


@pytest.mark.parametrize(
    ("mode", "code", "message"),
    [
        ("no_models", 1, "files that pyclnf needs are not installed yet"),
        ("crash", 3, "CLIP: pyfaceau ended with exit code 1: "),
        ("short", 3, "CLIP: pyfaceau has 71 rows for 72 frames"),
    ],
)
def test_what_is_wrong_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str], mode: str, code: int, message: str
) -> None:
    arguments = ["-pyfaceau", str(program(folder, mode)), "-f", str(CLIP), "-of", f"not_{mode}"]
    assert pyfaceau.main([*arguments, "-q", "-fps", "1", "-out_dir", str(folder)]) == code
    said = capsys.readouterr().err
    assert message in said.replace(str(CLIP), "CLIP")
    assert ("pyfaceau-download-models" in said) == (code == 1)
    assert str(folder) not in said  # no names that differ from run to run
    assert not (folder / f"not_{mode}.csv").exists()


def test_a_csv_that_cannot_be_written_has_its_line(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken.csv").mkdir()
    arguments = ["-pyfaceau", str(program(folder)), "-f", str(CLIP), "-of", "taken", "-q"]
    assert pyfaceau.main([*arguments, "-fps", "1", "-out_dir", str(tmp_path)]) == 3
    assert f"{tmp_path}/taken.csv cannot be written: Is a directory" in capsys.readouterr().err


def test_a_folder_of_videos_is_read(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").symlink_to(CLIP)
    arguments = ["-pyfaceau", str(program(folder)), "-fdir", str(tmp_path), "-q", "-fps", "1"]
    assert pyfaceau.main([*arguments, f"-out_dir={tmp_path}"]) == 0
    assert read_csv(tmp_path / "a.csv").height == 3


def test_a_missing_program_is_told_before_any_work(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pyfaceau.main(["-pyfaceau", "pyfaceau_nowhere", "-f", "a.mp4", "-q"]) == 1
    assert "pip install pyfaceau" in capsys.readouterr().err


def test_models_that_lack_units_are_named(tmp_path: Path) -> None:
    rows = [{k: v for k, v in row.items() if k != "AU05_r"} for row in stand_in.rows(N_FRAMES)]
    path = tmp_path / "units.csv"
    path.write_text(stand_in.text(rows))
    with pytest.raises(CSVError, match=r"pyfaceau gives no AU05_r; pip install pyfaceau"):
        pyfaceau.read_units(path, CLIP)


def test_the_name_of_a_video_reaches_no_shell(tmp_path: Path) -> None:
    video = tmp_path / '$(touch oops)";touch oops;".m$4'
    video.symlink_to(CLIP)
    shell = tmp_path / "shell"  # what pyfaceau does with ffprobe
    shell.write_text('#!/bin/sh\nsh -c "true \\"$1\\"" && echo frame > "$3"\n')
    shell.chmod(0o755)
    pyfaceau.run_pyfaceau(video, tmp_path / "units.csv", str(shell))
    assert sorted(path.name for path in tmp_path.iterdir() if "touch" not in path.name) == [
        "shell",
        "units.csv",
        "video",
    ]
