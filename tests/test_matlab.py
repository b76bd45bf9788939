"""Cells of .mat files: as SciPy reads them, of files by MATLAB and by SciPy; damage is refused."""

import contextlib
import io
from pathlib import Path

import numpy as np
import pytest
import scipy.io.matlab
from hypothesis import HealthCheck, given, settings, strategies as st
from scipy.io import loadmat, savemat

from pipeline_lib.datasets.amigos import matlab
from pipeline_lib.datasets.amigos.matlab import numbers, read_cells, text
from pipeline_lib.recordings import RecordingError

# Files that MATLAB itself wrote, on machines of both byte orders, come with SciPy's tests.
BY_MATLAB = Path(scipy.io.matlab.__file__).parent / "tests" / "data"

CELLS = {
    "double": np.linspace(-1, 1, 6).reshape(2, 3),
    "single": np.float32([[1.5, -2.5]]),
    "whole": np.arange(6.0).reshape(3, 2),
    "signed": np.int16([[-300], [300]]),
    "logical": np.array([[True, False]]),
    "empty": np.empty((0, 0)),
    "text": np.array(["N1"]),
    "no text": np.array([""]),
    "complex": np.array([[1j]]),
    "cube": np.zeros((2, 2, 2)),
    "struct": {"a": 1.0},
}


def matrix(*, compressed: bool, **changes) -> bytes:
    cells = np.empty((1, len(CELLS)), object)
    cells[0, :] = list(CELLS.values())
    file = io.BytesIO()
    other = np.random.default_rng(0).random((50, 50))
    savemat(
        file, {"before": other, "cells": cells, "b": cells, **changes}, do_compression=compressed
    )
    return file.getvalue()


def read(content: bytes, folder: Path, *names: str) -> dict[str, list]:
    path = folder / "P01.mat"
    path.write_bytes(content)
    return read_cells(path, names or ("cells",))


@pytest.mark.parametrize("compressed", [False, True])
def test_cells_are_those_that_scipy_reads(tmp_path, compressed):
    content = matrix(compressed=compressed)
    oracle = dict(zip(CELLS, loadmat(io.BytesIO(content))["cells"][0], strict=True))
    cells = dict(zip(CELLS, read(content, tmp_path)["cells"], strict=True))
    for name in ("double", "single", "whole", "signed", "logical", "empty"):
        np.testing.assert_array_equal(numbers(cells[name], name=name), oracle[name])
    assert text(cells["text"]) == oracle["text"][0]
    assert text(cells["no text"]) == ""
    for name in ("text", "complex", "cube", "struct"):
        with pytest.raises(RecordingError, match=f"{name} holds .*expected a matrix of real"):
            numbers(cells[name], name=name)


@pytest.mark.parametrize("version", ["6.1_SOL2", "6.5.1_GLNX86", "7.1_GLNX86", "7.4_GLNX86"])
def test_cells_that_matlab_wrote(version):
    path = BY_MATLAB / f"testcell_{version}.mat"
    if not path.exists():
        pytest.skip("SciPy was installed without its tests")
    cells = read_cells(path, ["testcell"])["testcell"]
    for cell, oracle in zip(cells, loadmat(path)["testcell"][0], strict=True):
        if oracle.dtype.kind == "U":
            assert text(cell) == oracle[0].strip()
        else:
            np.testing.assert_array_equal(numbers(cell, name="testcell"), oracle)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"cells": np.eye(3)}, r"P01\.mat: cells is of class 6 and size \(3, 3\), expected cells"),
        ({"cells": np.array([[1], ["a"]], object)}, r"size \(2, 1\), expected cells \(1, n\)"),
        ({"cells": np.array([["a"]], object)}, r"\['b', 'cells'\] differ in their number"),
    ],
)
def test_other_variables_are_refused(tmp_path, compressed, changes, reason):
    with pytest.raises(RecordingError, match=reason):
        read(matrix(compressed=compressed, **changes), tmp_path, "cells", "b")


def test_missing_variable_is_named(tmp_path):
    with pytest.raises(RecordingError, match=r"P01\.mat: lacks \['absent'\]"):
        read(matrix(compressed=True), tmp_path, "cells", "absent")


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.9, 0.99])
def test_truncated_file_is_refused(tmp_path, compressed, share):
    content = matrix(compressed=compressed)
    with pytest.raises(RecordingError, match=r"^P01\.mat: "):
        read(content[: int(share * len(content))], tmp_path, "cells", "b")


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.booleans(), st.floats(0, 1), st.binary(min_size=1, max_size=4))
def test_damaged_file_is_read_or_refused(tmp_path, compressed, place, damage):
    content = matrix(compressed=compressed)
    at = int(place * (len(content) - len(damage)))
    with contextlib.suppress(RecordingError):  # and no other error, nor a crash
        cells = read(content[:at] + damage + content[at + len(damage) :], tmp_path)["cells"]
        assert len(cells) == len(CELLS)


@pytest.mark.parametrize("compressed", [False, True])
def test_more_than_the_limit_is_not_unpacked(tmp_path, monkeypatch, compressed):
    monkeypatch.setattr(matlab, "MAX_BYTES", 300)
    with pytest.raises(RecordingError, match=r"^P01\.mat: .*(above the limit of|more than) 300"):
        read(matrix(compressed=compressed), tmp_path)


def test_small_whole_numbers_may_not_grow_beyond_the_limit(tmp_path, monkeypatch):
    cells = np.empty((1, 1), object)
    cells[0, 0] = np.ones((300, 300), np.int8)
    monkeypatch.setattr(matlab, "MAX_BYTES", 8 * 300 * 300 - 1)
    (cell,) = read(matrix(compressed=True, cells=cells), tmp_path)["cells"]
    with pytest.raises(RecordingError, match=r"data is \(300, 300\), more than 719999 bytes"):
        numbers(cell, name="data")


def test_number_of_cells_is_limited(tmp_path, monkeypatch):
    monkeypatch.setattr(matlab, "MAX_CELLS", 3)
    with pytest.raises(RecordingError, match=r"holds 4 of 11 cells"):
        read(matrix(compressed=True), tmp_path)


def test_reading_ends_with_the_last_wanted_variable(tmp_path):
    content = matrix(compressed=True)
    assert len(read(content + b"damage", tmp_path, "cells", "b")["b"]) == len(CELLS)
