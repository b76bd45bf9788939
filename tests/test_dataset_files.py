"""Files of a data set are found by their names, whatever else lies around."""

import os

import pytest

from pipeline_lib.datasets.files import find, matches, read_csv
from pipeline_lib.recordings import DatasetError


def names(root):
    return [path.relative_to(root).as_posix() for _, path in matches(root, r"(\w+)\.dat")]


def test_files_are_found_in_any_depth_and_in_order(tmp_path):
    for name in ("b/c/x.dat", "b/x.dat.bak", "a.dat", "b/b.dat"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert names(tmp_path) == ["a.dat", "b/b.dat", "b/c/x.dat"]


def test_pipes_folders_and_links_to_nothing_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "pipe.dat")
    (tmp_path / "folder.dat").mkdir()
    (tmp_path / "nowhere.dat").symlink_to(tmp_path / "gone")
    (tmp_path / "itself.dat").symlink_to(tmp_path / "itself.dat")
    assert names(tmp_path) == []


def test_links_are_followed_and_circles_end(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real/x.dat").touch()
    (tmp_path / "real/itself").symlink_to(tmp_path / "real")
    (tmp_path / "root").mkdir()
    (tmp_path / "root/link").symlink_to(tmp_path / "real")
    assert names(tmp_path / "root") == ["link/x.dat"]


def test_two_of_one_place_are_refused(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "s01.dat").touch()
    with pytest.raises(DatasetError, match=r"a/s01\.dat and .*b/s01\.dat both claim"):
        find(tmp_path, r"s(\d+)\.dat")


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"\x1f\x8b\x08\x00", "is compressed"), (b"a,b\n1,2\n", r"lacks \['c'\]"), (b"", "CSV")],
)
def test_tables_that_are_none(tmp_path, content, reason):
    (tmp_path / "table.csv").write_bytes(content)
    with pytest.raises(DatasetError, match=rf"table\.csv: .*{reason}"):
        read_csv(tmp_path / "table.csv", columns=["c"])
