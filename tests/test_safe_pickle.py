"""Pickles: what NumPy writes is read, whatever else is named is refused, nothing is run."""

import contextlib
import pickle
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from pipeline_lib.datasets.deap import safe_pickle
from pipeline_lib.datasets.deap.safe_pickle import load_arrays
from pipeline_lib.recordings import RecordingError
from pipeline_lib.twins.deap import pickle2

# Built by hand from NumPy's documentation of its state, as Python 2's cPickle memoises it.
PYTHON_2 = (
    b"\x80\x02}q\x01U\x06labelsq\x02cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\n"
    b"q\x04K\x00\x85q\x05U\x01b\x87q\x06Rq\x07(K\x01K\x01K\x02\x86q\x08cnumpy\ndtype\nq\x09U\x02f8"
    b"q\nK\x00K\x01\x87q\x0bRq\x0c(K\x03U\x01<q\rNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\x0e"
    b"b\x89U\x10" + struct.pack("<2d", 7.71, -2.5) + b"q\x0ftq\x10bs."
)

# The same in protocol 0, which is text, as cPickle of Python 2.7.18 wrote it.
PYTHON_2_TEXT = (
    b"(dp1\nS'labels'\np2\ncnumpy.core.multiarray\n_reconstruct\np3\n(cnumpy\nndarray\np4\n"
    b"(I0\ntp5\nS'b'\ntRp6\n(I1\n(I1\nI2\ntp7\ncnumpy\ndtype\np8\n(S'f8'\np9\nI0\nI1\ntp10\n"
    b"Rp11\n(I3\nS'<'\nNNNI-1\nI-1\nI0\ntp12\nbI00\nS'\\xd7\\xa3p=\\n\\xd7\\x1e@"
    b"\\x00\\x00\\x00\\x00\\x00\\x00\\x04\\xc0'\np13\ntbs."
)


def load(content: bytes, folder: Path) -> dict[str, np.ndarray]:
    path = folder / "s01.dat"
    path.write_bytes(content)
    return load_arrays(path)


@pytest.mark.parametrize("stream", [PYTHON_2, PYTHON_2_TEXT], ids=["protocol 2", "protocol 0"])
def test_python_2_stream(tmp_path, stream):
    np.testing.assert_array_equal(load(stream, tmp_path)["labels"], [[7.71, -2.5]])
    oracle = pickle.loads(stream, encoding="latin1")
    np.testing.assert_array_equal(oracle["labels"], [[7.71, -2.5]])


def test_twins_write_what_numpy_and_we_read(tmp_path):
    arrays = {"data": np.random.default_rng(0).normal(size=(2, 40, 7)), "labels": np.eye(2, 4)}
    oracle = pickle.loads(pickle2.dumps(arrays), encoding="latin1")
    loaded = load(pickle2.dumps(arrays), tmp_path)
    for name, array in arrays.items():
        np.testing.assert_array_equal(oracle[name], array)
        np.testing.assert_array_equal(loaded[name], array)


@pytest.mark.parametrize("protocol", range(5))
@pytest.mark.parametrize("dtype", ["<f8", ">f8", "<f4", "<i2", "u1"])
def test_python_3_streams(tmp_path, protocol, dtype):
    arrays = {"c": np.arange(6, dtype=dtype).reshape(2, 3)}
    arrays["fortran"] = np.asfortranarray(arrays["c"])
    loaded = load(pickle.dumps(arrays, protocol), tmp_path)
    for name, array in arrays.items():
        np.testing.assert_array_equal(loaded[name], array)


class Runs:
    """A pickle of it would touch a file when loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("protocol", range(6))
def test_hostile_object_is_refused_unrun(tmp_path, protocol):
    ran = tmp_path / "ran"
    content = pickle.dumps({"data": np.zeros(2), "labels": [Runs(ran)]}, protocol)
    with pytest.raises(RecordingError, match=r"^s01\.dat: .* which is refused"):
        load(content, tmp_path)
    assert not ran.exists()


RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"cposix\nsystem\n(S'true'\ntR.", "posix.system, which is refused"),
        (b"c__builtin__\neval\n(S'1'\ntR.", "__builtin__.eval, which is refused"),
        (b"(S'true'\nios\nsystem\n.", "os.system, which is refused"),
        (b"\x80\x04\x8c\x05numpy\x8c\x07fromstr\x93.", "numpy.fromstr, which is refused"),
        (b"\x80\x04\x8c\nnumpy.core\x8c\x17multiarray._reconstruct\x93.", "which is refused"),
        (b"c_codecs\ndecode\n(S'1'\ntR.", "_codecs.decode, which is refused"),
        (b"cnumpy.core.multiarray\nscalar\n.", "multiarray.scalar, which is refused"),
        (b"cnumpy\nndarray\n((I99999999999\ntS'f8'\ntR.", "not callable"),
        (b"cnumpy\ndtype\n(S'O8'\nI0\nI1\ntR.", "dtype 'O8'"),
        (b"c_codecs\nencode\n(VAA\nS'zip'\ntR.", "an encoding 'zip'"),
        (b"c_codecs\nencode\n}S'a'\nI1\nsb.", "a function with a state"),
        (RECONSTRUCT + b"}S'__call__'\nI1\nsb.", "not a readable pickle"),  # changes the class
        (b"\x80\x02Nr\xff\xff\xff\x7f.", "LONG_BINPUT 2147483647"),  # 32 GB of memo
        (b"\x80\x02]q\x00.", "holds a list"),
        (b"}S'data'\nI1\ns.", "'data' is not the name of a numeric array"),
        (b"}S'data'\n" + RECONSTRUCT + b"(tRs.", "'data' is not the name"),  # without a state
        (b"", "not a readable pickle"),
    ],
)
def test_hostile_stream_is_refused(tmp_path, content, reason):
    with pytest.raises(RecordingError, match=reason) as refused:
        load(content, tmp_path)
    assert str(refused.value).startswith("s01.dat: ")


def test_long_program_is_refused(tmp_path):
    with pytest.raises(RecordingError, match="more than 1000 opcodes"):
        load(b"\x80\x02" + b"N0" * 600 + b".", tmp_path)
    with pytest.raises(RecordingError, match="more than 1000 opcodes"):
        load(b"S'\\xff'\n0" * 600 + b"N.", tmp_path)


def test_key_whose_hash_would_take_for_ever_is_refused(tmp_path):
    nested = b")" + b"2\x86" * 60  # a pair of itself, 60 times
    with pytest.raises(RecordingError, match="24 tuples"):
        load(b"\x80\x02}" + nested + b"Ns.", tmp_path)


def test_few_bytes_that_become_many_are_refused(tmp_path, monkeypatch):
    arrays = {"data": np.zeros(1000, np.uint8)}
    monkeypatch.setattr(safe_pickle, "MAX_BYTES", 7999)
    with pytest.raises(RecordingError, match=r"8000 bytes of numbers, above 7999"):
        load(pickle.dumps(arrays), tmp_path)
    monkeypatch.setattr(safe_pickle, "MAX_BYTES", 8000)
    assert load(pickle.dumps(arrays), tmp_path)["data"].shape == (1000,)
    with pytest.raises(RecordingError, match=r"16000 bytes of numbers, above 8000"):
        load(pickle.dumps(arrays | {"labels": arrays["data"]}), tmp_path)


def test_text_that_is_encoded_again_and_again_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(safe_pickle, "MAX_BYTES", 2000)
    once = b"(g1\nS'latin1'\ntR"
    stream = b"c_codecs\nencode\np0\n0V" + b"a" * 1000 + b"\np1\n0"
    with pytest.raises(RecordingError, match=r"holds a bytes"):
        load(stream + b"g0\n" + once + b".", tmp_path)
    with pytest.raises(RecordingError, match="more than 2000 bytes of text"):
        load(stream + (b"g0\n" + once) * 3 + b".", tmp_path)


def test_memory_is_twice_the_file(tmp_path):
    path = tmp_path / "s01.dat"
    path.write_bytes(pickle2.dumps({"data": np.ones((4, 40, 8064)), "labels": np.ones((4, 4))}))
    tracemalloc.start()
    load_arrays(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2.1 * path.stat().st_size


def test_shape_that_its_bytes_do_not_fill_is_refused(tmp_path):
    with pytest.raises(RecordingError, match=r"16 bytes for shape \(1, 3\)"):
        load(PYTHON_2.replace(b"K\x01K\x02\x86", b"K\x01K\x03\x86"), tmp_path)


def test_file_above_memory_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(safe_pickle, "MAX_FILE", len(PYTHON_2) - 1)
    with pytest.raises(RecordingError, match=f"{len(PYTHON_2)} bytes"):
        load(PYTHON_2, tmp_path)


@pytest.mark.parametrize("stream", [PYTHON_2, PYTHON_2_TEXT], ids=["protocol 2", "protocol 0"])
def test_truncated_stream_is_refused(tmp_path, stream):
    for length in range(len(stream)):
        with pytest.raises(RecordingError, match="not a readable pickle"):
            load(stream[:length], tmp_path)


@pytest.mark.filterwarnings("ignore:invalid escape sequence")
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from([PYTHON_2, PYTHON_2_TEXT]),
    st.integers(0, 400),
    st.binary(min_size=1, max_size=3),
)
def test_damaged_stream_is_read_or_refused(tmp_path, stream, place, damage):
    arrays = {}
    with contextlib.suppress(RecordingError):  # and no other error
        arrays = load(stream[:place] + damage + stream[place + len(damage) :], tmp_path)
    assert all(array.dtype == np.float64 for array in arrays.values())
