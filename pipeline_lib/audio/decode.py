"""The only reading of sound: samples and their times, as they are decoded (PyAV).

Sound is mono here, the mean of its channels: a webcam's channels are one microphone's, and the
mean keeps a level between -1 and 1. Its sampling rate stays the file's own.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
import numpy.typing as npt
from av.audio.resampler import AudioResampler
from av.container import InputContainer
from av.error import FFmpegError

from pipeline_lib.recordings import RecordingError
from pipeline_lib.video.decode import moving, packets

Samples = npt.NDArray[np.float32]

MAX_SAMPLES = 2**27  # in memory: 512 MiB, 46 min at 48 kHz; `read_blocks` has no limit
BLOCK_SAMPLES = 2**20  # 22 s at 48 kHz
GAP = 0.01  # s after which samples are lost: containers round times, to 1 ms at worst
SLACK = 0.1  # s by which times may go back or the end be missing: AAC fills up whole frames
# What data sets come in. Playlists and scripts, which name other files, are not among them.
_FORMATS = "wav,mov,mp4,m4a,3gp,3g2,mj2,avi,matroska,webm"
_UNKNOWN = (0, 2**32 - 1)  # sizes in a WAV that was written to a pipe


class AudioError(RecordingError):
    """A file whose sound cannot be read; the message names the file and the cause."""


@dataclass(frozen=True)
class Sound:
    samples: Samples  # (n_times,), -1 to 1
    sampling_rate: int  # Hz
    start: float  # s, the first sample on the file's clock, which its video shares
    lost: float = 0.0  # s in it that did not decode, and are silent


def read_audio(path: Path) -> Sound:
    """Read a whole sound; what is lost within it is silent, so that the rest keeps its times.

    Raises AudioError if there is none, if it is truncated, if its times go back, or if it has
    more than MAX_SAMPLES.
    """
    parts: list[Samples] = []
    n_times = n_lost = 0
    start, rate = 0.0, 1
    for block in read_blocks(path):
        if not parts:
            start, rate = block.start, block.sampling_rate
        gap = round((block.start - start) * rate) - n_times
        if gap < -SLACK * rate:
            raise AudioError(f"{path}: at {block.start:.3f} s times go back by {-gap / rate:.3f} s")
        silent = gap if gap > GAP * rate else 0
        n_times += silent + block.samples.size
        n_lost += silent
        if n_times > MAX_SAMPLES:
            raise AudioError(f"{path}: more than {MAX_SAMPLES} samples, which is too long at once")
        parts += [np.zeros(silent, np.float32), block.samples]
    return Sound(np.concatenate(parts), rate, start, lost=n_lost / rate)


def read_blocks(path: Path) -> Iterator[Sound]:
    """Yield a sound in blocks of some BLOCK_SAMPLES, each with its own start.

    A block ends where something is lost. Raises AudioError like `read_audio`, but for its limit.
    """
    waiting: list[Sound] = []
    n_times = 0
    for piece in _pieces(path):
        if waiting and (n_times >= BLOCK_SAMPLES or not _follows(waiting[-1], piece)):
            yield _joined(waiting)
            waiting, n_times = [], 0
        waiting.append(piece)
        n_times += piece.samples.size
    yield _joined(waiting)


def start_time(path: Path) -> float:
    """s of the first sample that decodes, on the file's clock; raises AudioError if none does."""
    return _first_time(path, "audio")


def delay(path: Path) -> float:
    """s from the first frame of a file's video to the first sample of its sound, as they decode.

    Raises AudioError if the file lacks one of the two.
    """
    return _first_time(path, "audio") - _first_time(path, "video")


def announced_start(path: Path) -> float:
    """As `start_time`, from the headers alone."""
    with _open(path, "audio") as (_, stream):
        return _announced_start(stream)


def announced_delay(path: Path) -> float:
    """As `delay`, from the headers alone."""
    with _open(path, "audio") as (container, stream):
        if not (videos := moving(container)):
            raise AudioError(f"{path}: no video stream in it")
        return _announced_start(stream) - _announced_start(videos[0])


def announced_seconds(path: Path) -> float:
    """s that a sound lasts, from the headers alone; raises AudioError if they do not say."""
    with _open(path, "audio") as (_, stream):
        if stream.duration is None:
            raise AudioError(f"{path}: does not say how long its sound is")
        return float(stream.duration * stream.time_base)


def _announced_start(stream: Any) -> float:
    return float((stream.start_time or 0) * stream.time_base)


def _first_time(path: Path, kind: Literal["audio", "video"]) -> float:
    with _open(path, kind) as (container, stream):
        for frame in _frames(container, stream):
            if frame.time is not None:
                return float(frame.time)
    raise AudioError(f"{path}: no {kind} decodes")


def _pieces(path: Path) -> Iterator[Sound]:
    """Yield each frame of sound that decodes; AudioError if there is none, or the end is not."""
    end, rate = -math.inf, 0
    with _open(path, "audio") as (container, stream):
        announced = _announced_end(stream)
        # Of the format alone: rate and channels stay. Packed, for PyAV reads past the end of its
        # memory where planes are eight or more.
        converter = AudioResampler(format="flt")
        for frame in _frames(container, stream):
            # Of several frames in a packet (ADPCM, GSM) only the first is told its time.
            start = end if frame.time is None else float(frame.time)
            if math.isinf(start) or not frame.samples:
                continue
            rate = rate or int(frame.sample_rate)
            if frame.sample_rate != rate:
                raise AudioError(
                    f"{path}: {rate} Hz, then {frame.sample_rate} from {start:.2f} s on"
                )
            samples = _mono(path, frame, converter, start=start)
            end = start + samples.size / rate
            yield Sound(samples, rate, start)
    if math.isinf(end):
        raise AudioError(f"{path}: no audio decodes")
    if end < announced - SLACK:
        raise AudioError(f"{path}: truncated, its sound ends at {end:.2f} of {announced:.2f} s")


def _mono(path: Path, frame: Any, converter: AudioResampler, *, start: float) -> Samples:
    """(n_times,) mean of the channels; start: s, of the frame."""
    try:
        pieces = [piece.to_ndarray().ravel() for piece in converter.resample(frame)]
        channels = np.concatenate(pieces).reshape(-1, frame.layout.nb_channels)
    except (FFmpegError, ValueError) as error:  # its channels change on the way
        raise AudioError(f"{path}: at {start:.3f} s {error}") from None
    return np.asarray(channels.mean(axis=1), np.float32)


def _announced_end(stream: Any) -> float:
    """s on the file's clock, as its header has it; -inf if it does not say."""
    if stream.duration is None:
        return -math.inf
    return float(stream.duration * stream.time_base) + _announced_start(stream)


def _follows(before: Sound, after: Sound) -> bool:
    end = before.start + before.samples.size / before.sampling_rate
    return abs(after.start - end) <= GAP


def _joined(pieces: list[Sound]) -> Sound:
    samples = np.concatenate([piece.samples for piece in pieces])
    return Sound(samples, pieces[0].sampling_rate, pieces[0].start)


@contextmanager
def _open(path: Path, kind: Literal["audio", "video"]) -> Iterator[tuple[InputContainer, Any]]:
    try:
        options = {"format_whitelist": _FORMATS}
        container = av.open(str(path), options=options, metadata_errors="replace")
    except FFmpegError as error:
        raise AudioError(f"{path}: cannot be read as {kind}: {error.strerror}") from None
    with container:
        _check_size(path)
        streams = moving(container) if kind == "video" else container.streams.audio
        if not streams:
            raise AudioError(f"{path}: no {kind} stream in it")
        yield container, streams[0]


def _check_size(path: Path) -> None:
    """Raise AudioError if a WAV announces more than there is, which FFmpeg passes over."""
    with path.open("rb") as file:
        head = file.read(8)
    announced, size = int.from_bytes(head[4:], "little") + 8, path.stat().st_size
    if head.startswith(b"RIFF") and announced - 8 not in _UNKNOWN and announced > size + 1:
        raise AudioError(f"{path}: truncated, {size} of {announced} bytes")


def _frames(container: InputContainer, stream: Any) -> Iterator[Any]:
    """Yield what decodes; a broken packet is passed over, a broken file ends there."""
    for packet in packets(container, stream):
        try:
            frames = packet.decode()
        except FFmpegError:
            continue
        yield from frames
