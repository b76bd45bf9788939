"""OpenFace's CSV is read as each of its versions writes it, and written as version 2.2 does."""

import math
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from pipeline_lib.core.schema import GAZE_ANGLES
from pipeline_lib.face.openface_csv import (
    GROUPS,
    MEASUREMENTS,
    CSVError,
    groups_in,
    is_postprocessed,
    read_csv,
    write_csv,
)
from tests import openface_stand_in as openface

REFERENCE = Path(__file__).with_name("openface_2_neutral_then_smiling.csv")  # -pose -aus -gaze


def read(tmp_path: Path, content: str) -> pl.DataFrame:
    path = tmp_path / "openface.csv"
    path.write_text(content)
    return read_csv(path)


@pytest.mark.parametrize(("version", "angle"), [(1, math.atan2(0.25, -0.25)), (2, 0.125)])
def test_each_version_is_read(tmp_path: Path, version: int, angle: float) -> None:
    table = read(tmp_path, openface.text(version=version))
    assert table.columns == ["frame", "timestamp", "confidence", "success", *MEASUREMENTS]
    assert table["frame"].to_list() == list(range(1, openface.N_ROWS + 1))
    assert table["AU12_r"][0] == table["x_67"][0] == 1.5
    assert table["gaze_angle_x"][0] == pytest.approx(angle)


def test_angles_of_gaze_that_version_1_does_not_write_are_as_version_2_has_them(
    tmp_path: Path,
) -> None:
    expected = read_csv(REFERENCE, groups=["-gaze"])
    path = tmp_path / "version_1.csv"
    whole = pl.read_csv(REFERENCE, infer_schema=False)
    whole.select(pl.exclude(r"^.*(face_id|gaze_angle_|eye_lmk_).*$")).write_csv(path)
    assert path.read_text().startswith("frame, timestamp, confidence, success, gaze_0_x, ")
    found = read_csv(path, groups=["-gaze"])
    for name in GAZE_ANGLES:  # which have three decimals
        assert (found[name] - expected[name]).abs().max() < 0.0006
    assert found.drop(GAZE_ANGLES).equals(expected.drop(GAZE_ANGLES))


def test_one_angle_of_gaze_alone_is_missing(tmp_path: Path) -> None:
    with pytest.raises(CSVError, match=r"1 of 8 columns of -gaze are missing \(gaze_angle_y"):
        read(tmp_path, openface.text().replace("gaze_angle_y", "gaze_y"))


def test_spaces_make_no_difference(tmp_path: Path) -> None:
    spaced = openface.text()
    assert ", AU45_c" in spaced
    assert read(tmp_path, spaced).equals(read(tmp_path, spaced.replace(", ", ",")))


def test_a_lost_face_has_no_measurements_not_even_the_stale_pose(tmp_path: Path) -> None:
    table = read(tmp_path, openface.text())
    lost = [frame - 1 in openface.LOST for frame in table["frame"]]
    assert table["success"].to_list() == [not is_lost for is_lost in lost]
    for column in MEASUREMENTS:
        assert table[column].is_null().to_list() == lost


def test_of_several_faces_the_most_confident_stays(tmp_path: Path) -> None:
    content = openface.text(n_rows=2)
    surer = openface.row(0, openface.MEASUREMENTS, raw=True)
    surer = surer.replace("1, 0, 0.000, 0.98", "1, 1, 0.000, 0.99")
    table = read(tmp_path, f"{content}{surer}\n")
    assert table["frame"].to_list() == [1, 2]
    assert table["AU12_r"].to_list() == [2.5, 1.5]


def test_a_value_that_is_no_number_is_no_success(tmp_path: Path) -> None:
    lines = openface.text(n_rows=4).splitlines()
    for line, value in zip((2, 3, 4), ("-nan(ind)", "-nan", "inf"), strict=True):
        lines[line] = lines[line].replace("0.250000", value, 1)
    table = read(tmp_path, "\n".join(lines))
    assert table["success"].to_list() == [True, False, False, False]
    assert table["gaze_0_x"].to_list() == [0.25, None, None, None]


@pytest.mark.parametrize(
    ("column", "value"),
    [("gaze_1_z", "1.2"), ("AU12_r", "5.01"), ("AU45_c", "-1"), ("x_3", "1e9"), ("pose_Rz", "9")],
)
def test_a_value_that_cannot_be_is_no_success(tmp_path: Path, column: str, value: str) -> None:
    lines = [line.split(", ") for line in openface.text(n_rows=2).splitlines()]
    lines[2][lines[0].index(column)] = value
    table = read(tmp_path, "\n".join(", ".join(line) for line in lines))
    assert table["success"].to_list() == [True, False]
    assert table[column].to_list()[1] is None


def test_the_stand_in_writes_as_the_real_one() -> None:
    """Column by column: order, separator and decimals of real OpenFace 2.2."""
    real = REFERENCE.read_text().splitlines()
    ours = openface.text(n_rows=1).splitlines()
    names, written = ours[0].split(", "), ours[1].split(", ")
    picked = [name for name in names if name in real[0].split(", ")]
    assert ", ".join(picked) == real[0]
    for line in real[1:]:
        cells = dict(zip(real[0].split(", "), line.split(", "), strict=True))
        assert {name: _decimals(cell) for name, cell in cells.items()} == {
            name: _decimals(cell)
            for name, cell in zip(names, written, strict=True)
            if name in cells
        }


def _decimals(cell: str) -> int:
    return len(cell.partition(".")[2])


def test_the_embedded_extractor_writes_decimals_as_the_real_one(tmp_path: Path) -> None:
    path = tmp_path / "written.csv"
    write_csv([{"frame": 1}], path, options=GROUPS)
    names, cells = (line.split(",") for line in path.read_text().splitlines())
    real = openface.text(n_rows=1).splitlines()
    theirs = dict(zip(*(line.split(", ") for line in real), strict=True))
    assert [_decimals(cell) for cell in cells] == [_decimals(theirs[name]) for name in names]


@pytest.mark.parametrize(("raw", "expected"), [(True, False), (False, True)])
def test_action_units_are_not_final_before_the_file_is_written_anew(
    tmp_path: Path, raw: bool, expected: bool
) -> None:
    path = tmp_path / "openface.csv"
    names = openface.MEASUREMENTS
    lines = [openface.header(names, version=2), openface.row(0, names, raw=raw)]
    path.write_text("\n".join(lines) + "\n")
    assert is_postprocessed(path) is expected


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("AU12_r", "AU13_r", r"1 of 35 columns of -aus are missing \(AU12_r, \.\.\.\); have -aus"),
        ("x_0, ", "other, ", "1 of 136 columns of -2Dfp"),
        ("timestamp", "time", "not OpenFace's output, it has no column timestamp"),
        ("\n2, ", "\n, ", "1 of 20 rows are damaged"),
    ],
)
def test_a_file_that_is_not_whole_is_an_error(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    content = openface.text().replace("eye_lmk_x_0, ", "eye, ").replace(old, new, 1)
    with pytest.raises(CSVError, match=rf"openface\.csv: {message}"):
        read(tmp_path, content)


@pytest.mark.parametrize("content", ["", "frame\n1,2,3\n", "frame, frame\n1, 2\n"])
def test_what_is_no_csv_is_an_error(tmp_path: Path, content: str) -> None:
    with pytest.raises(CSVError, match=r"openface\.csv"):
        read(tmp_path, content)


@pytest.mark.parametrize("n_lost", [5, 6, 31, 1000])
def test_a_file_that_breaks_off_in_its_last_line_is_an_error(tmp_path: Path, n_lost: int) -> None:
    content = openface.text(n_rows=4)[:-n_lost]
    assert content.count("\n") == 4
    with pytest.raises(CSVError, match=r"1 of 4 rows are damaged, the first in line 5"):
        read(tmp_path, content)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("\n2, ", "\n2.5, "),
        ("\n2, ", "\ninf, "),
        ("\n2, ", "\n1e30, "),
        ("0.040", "-nan(ind)"),
        ("0.040", "nan"),
        ("0.040, 0.98, 1", "0.040, 0.98, 2"),
        ("0.040, 0.98, 1", "0.040, 0.98, nan"),
    ],
)
def test_a_row_that_does_not_tell_what_it_is_of_is_an_error(
    tmp_path: Path, old: str, new: str
) -> None:
    with pytest.raises(CSVError, match=r"1 of 20 rows are damaged, the first in line 3"):
        read(tmp_path, openface.text().replace(old, new, 1))


@pytest.mark.parametrize("confidence", ["-nan(ind)", "nan", "inf", "7"])
def test_a_confidence_that_cannot_be_is_none(tmp_path: Path, confidence: str) -> None:
    table = read(tmp_path, openface.text(n_rows=2).replace("0.98", confidence, 1))
    assert table["success"].to_list() == [False, True]
    assert table["confidence"].to_list() == pytest.approx([0, 0.98])


def test_decimal_commas_are_an_error_that_says_so(tmp_path: Path) -> None:
    header, rows = openface.text().split("\n", 1)
    with pytest.raises(CSVError, match=r"more cells than .* decimal commas.*LC_ALL=C"):
        read(tmp_path, f"{header}\n{rows.replace('.', ',')}")


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    found = {"frame": 1, "timestamp": 0.0, "confidence": 1, "success": 1, "AU12_r": 2.25}
    lost = {"frame": 2, "timestamp": 0.04, "confidence": 0, "success": 0}
    path = tmp_path / "written.csv"
    write_csv([found | {"pose_Rx": -0.125}, lost], path, options=GROUPS)
    table = read_csv(path)
    assert table.columns == ["frame", "timestamp", "confidence", "success", *MEASUREMENTS]
    assert table["AU12_r"].to_list() == [2.25, None]
    assert table["pose_Rx"].to_list() == [-0.125, None]
    assert table["timestamp"].to_list() == [0.0, 0.04]


def test_columns_are_openfaces_in_its_order(tmp_path: Path) -> None:
    path = tmp_path / "written.csv"
    write_csv([], path, options=GROUPS)
    written = path.read_text().strip().split(",")
    groups = [
        name for group in openface.GROUPS if group in GROUPS for name in openface.GROUPS[group]
    ]
    assert written == openface.header(groups, version=2).split(", ")
    write_csv([], path, options=["-pose", "-aus", "-gaze"])
    assert path.read_text().strip().split(",") == REFERENCE.read_text().split("\n")[0].split(", ")
    write_csv([], path, options=["-aus"])
    assert path.read_text().strip().split(",") == [*written[:5], *written[-35:]]


def test_an_unfinished_csv_has_no_name_yet(tmp_path: Path) -> None:
    def rows() -> Iterator[dict[str, float]]:
        yield {"frame": 1}
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_csv(rows(), tmp_path / "never.csv", options=GROUPS)
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_asked_for_may_be_missing(tmp_path: Path) -> None:
    path = tmp_path / "gaze.csv"
    write_csv([{"frame": 1, "success": 1, "gaze_0_x": 0.5}], path, options=["-gaze", "-pose"])
    assert groups_in(path) == ("-gaze", "-pose")
    assert read_csv(path, groups=["-gaze"])["gaze_0_x"].to_list() == [0.5]
    with pytest.raises(CSVError, match="columns of -2Dfp are missing"):
        read_csv(path)
