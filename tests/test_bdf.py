"""BDF files: MNE and EDFlib read what the twin writes, and we read the same; damage is refused."""

import contextlib
import struct
import time
import tracemalloc
from pathlib import Path

import mne
import numpy as np
import pyedflib
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from pipeline_lib.datasets.deap.bdf import (
    channel_named,
    open_recording,
    read_digital,
    read_physical,
)
from pipeline_lib.recordings import RecordingError
from pipeline_lib.twins.deap import bdf

RATE, SECONDS = 64, 5
CHANNELS = [
    bdf.Channel("Fp1", "uV", (-262144, 262143)),
    bdf.Channel("GSR1", "nS", (-131072, 131071)),
    bdf.Channel("Plet", "uV", (1000, -3000)),  # an inverting amplifier
    bdf.Channel("Status", "Boolean", bdf.DIGITAL),
]


def samples() -> np.ndarray:
    """(4, n_times); Status has codes with high bits, up to the last one but the sign."""
    rng = np.random.default_rng(0)
    values = rng.uniform(-900, 900, (4, RATE * SECONDS))
    values[3] = rng.choice([0, 4, 0x18FF04, 0x7FFFFF, -1], RATE * SECONDS)
    return values


def write(folder: Path, channels: list[bdf.Channel] = CHANNELS) -> Path:
    path = folder / "s01.bdf"
    head = bdf.header(channels, n_records=SECONDS, sampling_rate=RATE)
    path.write_bytes(head + bdf.records(samples(), channels, sampling_rate=RATE))
    return path


def patch(path: Path, at: int, text: str, *, width: int = 8) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[:at] + text.ljust(width).encode() + content[at + width :])
    return path


def field(place: int, channel: int) -> int:
    """Where the header has a field of a channel, by the place of the field."""
    widths = (16, 80, 8, 8, 8, 8, 8, 80, 8, 32)
    return 256 + len(CHANNELS) * sum(widths[:place]) + channel * widths[place]


def test_file_made_by_hand(tmp_path):
    widths = (8, 80, 80, 8, 8, 8, 44, 8, 8, 4, 16, 80, 8, 8, 8, 8, 8, 80, 8, 32)
    texts = ("\xffBIOSEMI", "", "", "01.01.00", "00.00.00", "512", "24BIT", "2", "0.5", "1",
             "Plet", "", "uV", "-10", "30", "-100", "300", "", "3", "")  # fmt: skip
    head = b"".join(t.ljust(w).encode("latin1") for t, w in zip(texts, widths, strict=True))
    counted = [-100, 0, 300, 1, -2, 0x0102]
    path = tmp_path / "s01.bdf"
    path.write_bytes(head + b"".join(struct.pack("<i", n)[:3] for n in counted))
    recording = open_recording(path)
    assert (recording.n_records, recording.sampling_rate(0), recording.labels) == (2, 6, ("Plet",))
    np.testing.assert_array_equal(read_digital(recording, 0, 0, 6), counted)
    np.testing.assert_allclose(read_physical(recording, 0, 1, 5), [0, 30, 0.1, -0.2])


def test_mne_reads_the_same(tmp_path):
    path = write(tmp_path)
    raw = mne.io.read_raw_bdf(path, preload=True, verbose="ERROR")
    recording = open_recording(path)
    assert raw.ch_names == [channel.label for channel in CHANNELS]
    assert raw.info["sfreq"] == recording.sampling_rate(0) == RATE
    for name, volts in (("Fp1", 1e-6), ("GSR1", 1), ("Plet", 1e-6)):
        ours = read_physical(recording, channel_named(recording, name), 0, RATE * SECONDS)
        np.testing.assert_allclose(raw.get_data(name)[0], volts * ours, rtol=1e-9)
    codes = read_digital(recording, 3, 0, RATE * SECONDS)
    # MNE keeps what BioSemi calls the trigger's bits.
    np.testing.assert_array_equal(raw.get_data("Status")[0].astype(int) & 0xFFFF, codes & 0xFFFF)


def test_edflib_reads_the_same(tmp_path):
    path = write(tmp_path)
    recording = open_recording(path)
    with pyedflib.EdfReader(str(path)) as oracle:
        assert oracle.getSignalLabels() == [channel.label for channel in CHANNELS]
        for i in range(4):
            ours = read_digital(recording, i, 0, RATE * SECONDS)
            np.testing.assert_array_equal(oracle.readSignal(i, digital=True), ours)
            ours = read_physical(recording, i, 0, RATE * SECONDS)
            np.testing.assert_allclose(oracle.readSignal(i), ours, rtol=1e-9, atol=1e-9)


def test_signals_come_back_by_their_gain(tmp_path):
    recording = open_recording(write(tmp_path))
    for i in (0, 1):
        step = np.ptp(CHANNELS[i].physical) / 2**24
        ours = read_physical(recording, i, 0, RATE * SECONDS)
        np.testing.assert_allclose(ours, samples()[i], atol=step)
    status = read_digital(recording, 3, 0, RATE * SECONDS)
    np.testing.assert_array_equal(status, samples()[3])


@pytest.mark.parametrize(("first", "last"), [(0, 1), (63, 65), (64, 128), (100, 319), (319, 320)])
def test_ranges_are_parts_of_the_whole(tmp_path, first, last):
    recording = open_recording(write(tmp_path))
    whole = read_digital(recording, 1, 0, RATE * SECONDS)
    np.testing.assert_array_equal(read_digital(recording, 1, first, last), whole[first:last])


@pytest.mark.parametrize(("first", "last"), [(-1, 5), (5, 5), (0, 321), (400, 500)])
def test_ranges_outside_are_refused(tmp_path, first, last):
    recording = open_recording(write(tmp_path))
    with pytest.raises(RecordingError, match=rf"s01\.bdf: samples {first} - {last} of 320"):
        read_digital(recording, 1, first, last)


def test_channels_are_found_by_name(tmp_path):
    recording = open_recording(write(tmp_path, [CHANNELS[i] for i in (2, 0, 3, 1)]))
    assert channel_named(recording, "Plet") == 0
    assert channel_named(recording, "GSR1") == 3
    with pytest.raises(RecordingError, match="0 of its 4 channels are named GSR2"):
        channel_named(recording, "GSR2")
    recording = open_recording(write(tmp_path, [CHANNELS[i] for i in (0, 1, 1, 3)]))
    with pytest.raises(RecordingError, match="2 of its 4 channels are named GSR1"):
        channel_named(recording, "GSR1")


def test_channels_of_several_rates(tmp_path):
    path = patch(write(tmp_path), field(8, 0), str(RATE // 2))
    patch(path, field(8, 3), str(RATE + RATE // 2))
    recording = open_recording(path)
    assert [recording.sampling_rate(i) for i in range(4)] == [32, 64, 64, 96]
    assert read_digital(recording, 3, 0, 480).size == 480


def test_records_that_are_not_there_do_not_count(tmp_path):
    path = write(tmp_path)
    whole = read_digital(open_recording(path), 1, 0, 4 * RATE)
    path.write_bytes(path.read_bytes()[:-10])
    recording = open_recording(path)
    assert (recording.n_records, recording.n_announced) == (4, 5)
    np.testing.assert_array_equal(read_digital(recording, 1, 0, 4 * RATE), whole)
    assert open_recording(patch(path, 236, "-1")).n_records == 4  # never finished
    assert open_recording(patch(path, 236, "2")).n_records == 2


@pytest.mark.parametrize(
    ("at", "text", "reason"),
    [
        (0, "0       ", "begins with b'0"),  # EDF
        (192, "BDF+C", "or is not of 24 bit"),
        (252, "1e6", "the number of channels is '1e6'"),
        (252, "0", "0 channels"),
        (252, "9999", "9999 channels, expected 1 - 1024"),
        (252, "5", "its header's size is not 1536 for 5 channels"),
        (184, "99999999", "its header's size is not 1280"),
        (236, "0", "0 records"),
        (236, "x", "the number of records is 'x"),
        (244, "nan", "a record's duration is 'nan"),
        (244, "1e-320", "records of .* s"),
        (244, "-1", "records of -1 s"),
        (field(8, 0), "0", "records of 1 s with 0 samples"),
        (field(8, 0), "-64", "records of 1 s with -64 samples"),
        (field(8, 0), "99999999", "0 records of up to 99999999 samples"),
        (field(8, 0), "6_4", "the samples in a record is '6_4'"),
    ],
)
def test_header_that_cannot_be_is_refused(tmp_path, at, text, reason):
    path = patch(write(tmp_path), at, text, width=4 if at == 252 else 8)
    with pytest.raises(RecordingError, match=rf"^s01\.bdf: not a readable BDF \(.*{reason}"):
        open_recording(path)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({3: "0", 4: "0"}, "GSR1 goes from 0 to 0"),
        ({5: "7", 6: "7"}, "in 0 steps"),
        ({5: "8388607", 6: "-8388608"}, "in -1.67772e"),
        ({4: "1e308"}, "no gain of"),
        ({3: "inf"}, "physical_min of GSR1 is 'inf'"),
        ({6: "?"}, r"digital_max of GSR1 is '\?'"),
    ],
)
def test_gain_that_cannot_be_matters_to_its_channel_only(tmp_path, changes, reason):
    path = write(tmp_path)
    for place, text in changes.items():
        patch(path, field(place, 1), text)
    recording = open_recording(path)
    assert read_physical(recording, 2, 0, 10).size == 10
    with pytest.raises(RecordingError, match=reason):
        read_physical(recording, 1, 0, 10)


def test_size_is_believed_before_the_header(tmp_path):
    path = patch(write(tmp_path), 236, "99999999")
    assert open_recording(path).n_records == SECONDS
    with path.open("r+b") as file:
        file.truncate(2**40)  # a file with a hole, of 1 TiB
    tracemalloc.start()
    with pytest.raises(RecordingError, match="records of up to 64 samples a channel, expected"):
        open_recording(path)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def test_file_without_end_is_no_trap(tmp_path):
    with pytest.raises(RecordingError, match="not a readable BDF"):
        open_recording(tmp_path)  # a folder
    (tmp_path / "s01.bdf").symlink_to("/dev/zero")
    with pytest.raises(RecordingError, match="begins with"):
        open_recording(tmp_path / "s01.bdf")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.05, 0.15])
def test_file_that_ends_in_its_header_is_refused(tmp_path, share):
    path = write(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(RecordingError, match=r"^s01\.bdf: not a readable BDF"):
        open_recording(path)


HEADER = len(bdf.header(CHANNELS, n_records=SECONDS, sampling_rate=RATE))


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.integers(0, HEADER - 1),
    st.binary(min_size=1, max_size=8) | st.from_regex(rb"[-+]?[0-9.e]{1,8}", fullmatch=True),
)
def test_damaged_header_is_read_or_refused(tmp_path, place, damage):
    path = write(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[:place] + damage + content[place + len(damage) :])
    started = time.monotonic()
    with contextlib.suppress(RecordingError):  # and no other error, nor a warning
        recording = open_recording(path)
        for i in range(len(recording.labels)):
            values = read_physical(recording, i, 0, recording.n_times(i))
            assert np.isfinite(values).all()
            assert recording.sampling_rate(i) > 0
    assert time.monotonic() - started < 5
