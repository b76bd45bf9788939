"""Read BDF, BioSemi's 24-bit format, of files that nobody vouches for.

A session has half a gigabyte in 48 channels: only the header and the samples that are asked for
are read. The format is BioSemi's: a header of 256 bytes and of 256 more for each channel, field by
field, in ASCII; then records of one duration, in each of which channel follows channel.
"""

import contextlib
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline_lib.recordings import Floats, RecordingError

Integers = npt.NDArray[np.int32]

MAX_CHANNELS = 1024  # BioSemi's amplifiers have 280
MAX_RECORDS = 2**16  # 18 hours of BioSemi's records
MAX_SAMPLES = 2**24  # of a channel: 9 hours at 512 Hz
MIN_SECONDS, MAX_SECONDS = 1e-3, 1e3  # of a record
GAINS = (1e-12, 1e12)  # physical units a step
_BLOCK = 256  # bytes of the header, and of each channel in it
_TITLE = b"\xffBIOSEMI"
_VERSION = b"24BIT"
_BYTES = 3  # a sample: little endian, with sign
_FIELDS = {"label": 16, "transducer": 80, "unit": 8, "physical_min": 8, "physical_max": 8,
           "digital_min": 8, "digital_max": 8, "filter": 80, "samples": 8, "reserved": 32,
           }  # fmt: skip  # bytes


@dataclass(frozen=True)
class Recording:
    """What the header of a file says, as far as the file's size bears it out."""

    path: Path
    n_records: int  # that are there, whole
    n_announced: int  # records
    record_seconds: float
    channels: Mapping[str, tuple[str, ...]]  # field -> its text for every channel
    n_samples: tuple[int, ...]  # of every channel in a record

    @property
    def labels(self) -> tuple[str, ...]:
        return self.channels["label"]

    @property
    def record_bytes(self) -> int:
        return _BYTES * sum(self.n_samples)

    def n_times(self, channel: int) -> int:
        return self.n_records * self.n_samples[channel]

    def sampling_rate(self, channel: int) -> float:
        """Hz"""
        return self.n_samples[channel] / self.record_seconds


def open_recording(path: Path) -> Recording:
    """Read the header.

    Records that the file is too short for are not counted. Raises RecordingError, naming the
    file, if it is no BDF, says what cannot be, or goes beyond the limits above.
    """
    with _readable(path), path.open("rb") as file:
        head = file.read(_BLOCK)
        if not head.startswith(_TITLE) or not head[192:].startswith(_VERSION):
            raise ValueError(f"begins with {head[:8]!r}, not with {_TITLE!r}, or is not of 24 bit")
        n_channels = _whole(_text(head[252:]), "the number of channels")
        if not 1 <= n_channels <= MAX_CHANNELS:
            raise ValueError(f"{n_channels} channels, expected 1 - {MAX_CHANNELS}")
        n_bytes = _BLOCK * (n_channels + 1)
        if _whole(_text(head[184:192]), "the header's size") != n_bytes:
            raise ValueError(f"its header's size is not {n_bytes} for {n_channels} channels")
        fields = _fields(file.read(n_bytes - _BLOCK), n_channels)
        n_samples = tuple(_whole(text, "the samples in a record") for text in fields["samples"])
        seconds = _number(_text(head[244:252]), "a record's duration")
        if min(n_samples) < 1 or not MIN_SECONDS <= seconds <= MAX_SECONDS:
            raise ValueError(f"records of {seconds:g} s with {min(n_samples)} samples")
        announced = _whole(_text(head[236:244]), "the number of records")
        room = (path.stat().st_size - n_bytes) // (_BYTES * sum(n_samples))
        n_records = _count(announced, room, max(n_samples))
    return Recording(path, n_records, announced, seconds, fields, n_samples)


def _count(announced: int, room: int, in_record: int) -> int:
    """Records that are there; a file that was never finished announces -1."""
    n_records = min(announced, room) if announced >= 0 else room
    if not 1 <= n_records <= MAX_RECORDS or n_records * in_record > MAX_SAMPLES:
        raise ValueError(
            f"{n_records} records of up to {in_record} samples a channel, expected "
            f"1 - {MAX_RECORDS} with at most {MAX_SAMPLES} samples in all"
        )
    return n_records


def channel_named(recording: Recording, label: str) -> int:
    """The one channel of this name; its place differs between amplifiers."""
    places = [i for i, other in enumerate(recording.labels) if other == label]
    if len(places) != 1:
        raise RecordingError(
            f"{recording.path.name}: {len(places)} of its {len(recording.labels)} channels are "
            f"named {label}, expected one"
        )
    return places[0]


def read_digital(recording: Recording, channel: int, first: int, last: int) -> Integers:
    """(last - first,) samples as the amplifier counted; `last` is the one after.

    Raises RecordingError if the file ends before them.
    """
    in_record = recording.n_samples[channel]
    start = _BLOCK * (len(recording.labels) + 1) + _BYTES * sum(recording.n_samples[:channel])
    records = range(first // in_record, math.ceil(last / in_record))
    if first < 0 or last <= first or records.stop > recording.n_records:
        raise RecordingError(
            f"{recording.path.name}: samples {first} - {last} of {recording.n_times(channel)}"
        )
    parts = []
    with _readable(recording.path), recording.path.open("rb", buffering=0) as file:
        for record in records:
            file.seek(start + record * recording.record_bytes)
            parts.append(file.read(_BYTES * in_record))
        content = b"".join(parts)
        if len(content) < _BYTES * in_record * len(records):
            raise ValueError("it has become shorter")
    wide = np.zeros((len(content) // _BYTES, 4), np.uint8)
    wide[:, 1:] = np.frombuffer(content, np.uint8).reshape(-1, _BYTES)
    skipped = first - records.start * in_record
    return wide.view("<i4")[skipped : skipped + last - first, 0] >> 8


def read_physical(recording: Recording, channel: int, first: int, last: int) -> Floats:
    """(last - first,) samples in the channel's unit, by the gain in the header."""
    with _readable(recording.path):
        low, high, least, most = (
            _number(recording.channels[name][channel], f"{name} of {recording.labels[channel]}")
            for name in ("physical_min", "physical_max", "digital_min", "digital_max")
        )
        gain = (high - low) / (most - least) if most > least else math.inf
        if not GAINS[0] <= abs(gain) <= GAINS[1]:
            raise ValueError(
                f"{recording.labels[channel]} goes from {low:g} to {high:g} in {most - least:g} "
                f"steps, which is no gain of {GAINS[0]:g} - {GAINS[1]:g}"
            )
    counted = read_digital(recording, channel, first, last).astype(np.float64)
    return low + gain * (counted - least)


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Name the file in what its damage makes the functions here raise."""
    try:
        yield
    except RecordingError:
        raise
    except (OSError, ValueError) as error:
        raise RecordingError(f"{path.name}: not a readable BDF ({error})") from None


def _fields(block: bytes, n_channels: int) -> dict[str, tuple[str, ...]]:
    """The header of the channels: one field of all channels after the other."""
    if len(block) < _BLOCK * n_channels:
        raise ValueError("ends within its header")
    fields, at = {}, 0
    for name, width in _FIELDS.items():
        texts = (block[at + i * width : at + (i + 1) * width] for i in range(n_channels))
        fields[name] = tuple(_text(text) for text in texts)
        at += width * n_channels
    return fields


def _whole(text: str, name: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        raise ValueError(f"{name} is {text!r}, expected a whole number")
    return int(text)


def _number(text: str, name: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{name} is {text!r}, expected a number")
    return number


def _text(field: bytes) -> str:
    return field.decode("latin1").strip()
