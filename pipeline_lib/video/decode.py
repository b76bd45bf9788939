"""The only reading of video: frames and their times, as they are decoded (PyAV).

Header frame rates and counts lie, so times are presentation times and counts are of frames
that decode. Frames are read one by one: memory does not grow with the video.
"""

import heapq
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition, Stream
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from pipeline_lib.recordings import RecordingError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


# Not playlists and lists of files, which would make it open what they name.
CONTAINERS = {
    "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,avi,matroska,webm,asf,mpeg,mpegts,flv,ogg"
}


class VideoError(RecordingError):
    """A video from which nothing can be read; the message names the file and the cause."""


@dataclass(frozen=True)
class Frame:
    index: int  # in the file, from 0, counting frames that decode
    time: float  # s from the first frame
    rgb: npt.NDArray[np.uint8]  # (height, width, 3), as a player shows it; rows may be padded


@dataclass(frozen=True)
class VideoInfo:
    """What the headers announce, which need not be what decodes."""

    width: int  # px
    height: int  # px
    frame_rate: float | None  # Hz, average
    n_frames: int | None
    codec: str
    duration: float | None  # s


def probe(path: Path) -> VideoInfo:
    """Read the headers only; raises VideoError if the file is no video."""
    with open_video(path) as (container, stream):
        return VideoInfo(
            width=stream.width,
            height=stream.height,
            frame_rate=float(stream.average_rate) if stream.average_rate else None,
            n_frames=_n_announced(container, stream),
            codec=stream.codec_context.name,
            duration=container.duration / av.time_base if container.duration else None,
        )


def _n_announced(container: InputContainer, stream: VideoStream) -> int | None:
    """As the index lists them, if it is there as a whole, else as the header counts them.

    The header's count has what an MP4's edit list cuts away, and the empty pictures by which an
    AVI waits: FFmpeg writes one before MP3.
    """
    entries = list(stream.index_entries)
    if container.format.name == "avi":
        is_whole = bool(entries) and entries[-1].timestamp + 1 == stream.frames
    else:
        is_whole = "mp4" in container.format.name
    listed = sum(not entry.is_discard for entry in entries)
    return listed if stream.frames and is_whole else stream.frames or None


def read_frames(path: Path, *, indices: Collection[int] | None = None) -> Iterator[Frame]:
    """Yield the frames with these indices, in order; None: all of them.

    What is broken is passed over and a truncated file ends early: compare the count with what
    was expected. Raises VideoError if nothing decodes.
    """
    wanted = None if indices is None else frozenset(indices)
    last = np.inf if wanted is None else max(wanted, default=-1)
    # One converter for all frames: a new one for each, as frame.to_ndarray has it, starts threads
    # every time and takes thrice as long on a busy machine.
    converter = VideoReformatter()
    for index, (time, frame) in enumerate(_decode(path)):
        if wanted is None or index in wanted:
            yield Frame(index, time, shown(frame, converter))
        if index >= last:
            return


def shown(frame: av.VideoFrame, converter: VideoReformatter) -> npt.NDArray[np.uint8]:
    """(height, width, 3) of RGB, turned as the file says: phones store portraits lying."""
    rgb = converter.reformat(frame, format="rgb24", threads=1).to_ndarray()
    stored = rgb.astype(np.uint8, copy=False)
    return np.rot90(stored[::-1] if _is_mirrored(frame) else stored, round(frame.rotation / 90))


def _is_mirrored(frame: Any) -> bool:
    """Whether it is upside down before it is turned: a selfie's rotation alone does not tell."""
    try:
        matrix = np.frombuffer(frame.side_data["DISPLAYMATRIX"], np.int32)
    except (KeyError, ValueError):  # none; or beside what PyAV does not know, as EXIF
        return False
    a, b, _, c, d = matrix[:5].tolist()  # ISO 14496-12, 8.3.2
    return bool(a * d < b * c)


def frame_times(path: Path) -> Floats:
    """Times of all frames that decode, s from the first; raises VideoError if there are none."""
    return np.array([time for time, _ in _decode(path)])


def packet_times(path: Path) -> Floats:
    """Times that the packets announce, s from the first, in order of display, undecoded.

    Some 30 times faster than `frame_times`, and the same unless packets are broken. Raises
    VideoError if there are no packets.
    """
    with open_video(path) as (container, stream):
        full = [packet for packet in packets(container, stream) if packet.size]
        ticks = sorted(p.pts for p in full if p.pts is not None and not p.is_discard)
        if not ticks:
            raise VideoError(f"{path}: no frames in it")
        return np.array([_seconds(tick - ticks[0], stream) for tick in ticks])


def reconciled_times(path: Path, agrees: Callable[[Floats], bool]) -> Floats:
    """Times of the frames, decoding the video only if those of its packets do not agree.

    agrees : whether times fit what another reader of the same file saw
    """
    times = packet_times(path)
    return times if agrees(times) else frame_times(path)


def at_rate(times: Floats, *, fps: float) -> Ints:
    """Choose the frames nearest in time to the grid 0, 1/fps, 2/fps, ...

    times   : (n_frames,) s, rising from 0
    returns : indices, strictly rising; all of them if fps is above the native rate
    """
    if len(times) < 2:
        return np.arange(len(times))
    end = times[-1] + (times[-1] - times[-2]) / 2  # as far as the last frame is the nearest
    grid = np.arange(np.floor(end * fps) + 1) / fps
    after = np.searchsorted(times, grid).clip(1, len(times) - 1)
    before = after - 1
    nearest = np.where(grid - times[before] <= times[after] - grid, before, after)
    return np.unique(nearest)


@contextmanager
def open_video(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    try:
        container = av.open(str(path), metadata_errors="replace", options=CONTAINERS)
    except FFmpegError as error:
        raise VideoError(f"{path}: cannot be read as video: {error.strerror}") from None
    with container:
        if not (streams := moving(container)):
            raise VideoError(f"{path}: no video stream in it")
        yield container, streams[0]


def moving(container: InputContainer) -> list[VideoStream]:
    """The video streams but for covers, which may come first, and are all that music has."""
    return [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]


def _decode(path: Path) -> Iterator[tuple[float, av.VideoFrame]]:
    """Yield (s from the first frame, frame) of all that decodes."""
    first: int | None = None
    for tick, frame, stream in _ticks(path):
        first = tick if first is None else first
        yield _seconds(tick - first, stream), frame
    if first is None:
        raise VideoError(f"{path}: no frame decodes")


def _ticks(path: Path) -> Iterator[tuple[int, av.VideoFrame, VideoStream]]:
    """Yield (presentation time in the stream's time base, frame, stream).

    AVI stores no presentation times: its packets are numbered in order of decoding, which
    B-frames shuffle, so frames take the numbers of the packets read so far in rising order.
    """
    with open_video(path) as (container, stream):
        numbered = container.format.name == "avi"
        numbers: list[int] = []
        for packet in packets(container, stream):
            try:
                frames = packet.decode()
            except FFmpegError:  # a broken packet: its frame is missing, the next may be whole
                continue
            if packet.pts is not None:
                heapq.heappush(numbers, packet.pts)
            for frame in frames:
                tick = heapq.heappop(numbers) if numbered else frame.pts
                if tick is None:
                    raise VideoError(f"{path}: frames have no times")
                yield tick, frame, stream


def packets(container: InputContainer, stream: Stream) -> Iterator[Any]:
    """Yield a stream's packets up to its end, or to where the file breaks off."""
    demuxed = container.demux(stream)
    while True:
        try:
            packet = next(demuxed, None)
        except FFmpegError:
            return
        if packet is None:
            return
        yield packet


def _seconds(ticks: int, stream: VideoStream) -> float:
    assert stream.time_base is not None  # every demuxed stream has one
    return float(ticks * stream.time_base)
