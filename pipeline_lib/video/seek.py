"""Single frames of a long video by seeking, where that decodes less than reading from the start.

Times and keyframes are those of the packets, so that nothing is decoded to find a frame. A video
whose packets cannot be told apart by their times (AVI, repeated times) is not for seeking.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.error import FFmpegError
from av.video.reformatter import VideoReformatter

from pipeline_lib.video.decode import Frame, VideoError, open_video, packets, shown

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Layout:
    """Where the frames of a video lie, as its packets say."""

    ticks: Ints  # (n_frames,) presentation times in the stream's time base, in order of display
    keyframes: Ints  # indices of the frames that decode on their own, rising
    can_seek: bool  # whether a frame's time tells which it is


def layout(path: Path) -> Layout:
    """Read the packets, undecoded; raises VideoError if there are none."""
    with open_video(path) as (container, stream):
        shown = [p for p in packets(container, stream) if p.size and not p.is_discard]
        timed = [(p.pts, p.is_keyframe) for p in shown if p.pts is not None]
        numbered = container.format.name == "avi"
    if not timed:
        raise VideoError(f"{path}: no frames in it")
    ticks, keys = (np.array(column) for column in zip(*sorted(timed), strict=True))
    distinct = len(timed) == len(shown) and bool((np.diff(ticks) > 0).all())
    return Layout(ticks, np.flatnonzero(keys), can_seek=distinct and not numbered and bool(keys[0]))


def decoded_by_seeking(indices: Ints, keyframes: Ints) -> tuple[int, int]:
    """How many frames seeking would decode to reach these, and how often it would seek.

    indices, keyframes : rising; the first keyframe is at or before the first index
    """
    starts = _starts(indices, keyframes)
    before = np.concatenate([[-1], indices[:-1]])
    return int((indices - starts + 1).sum()), int((starts > before + 1).sum())


def read_by_seeking(path: Path, where: Layout, indices: Ints) -> Iterator[Frame]:
    """Yield the frames with these indices, in order; what does not decode is left out.

    indices : rising, of `where`
    """
    converter = VideoReformatter()
    by_tick = {int(tick): i for i, tick in enumerate(where.ticks)}
    starts = _starts(indices, where.keyframes)
    with open_video(path) as (container, stream):
        stepping = _decoded(container, stream)
        position = -1
        for index, start in zip(indices.tolist(), starts.tolist(), strict=True):
            if start > position + 1:
                container.seek(int(where.ticks[start]), stream=stream)
                stepping = _decoded(container, stream)
            for frame in stepping:
                position = position if frame.pts is None else by_tick.get(frame.pts, position)
                if position >= index:
                    break
            else:
                return
            if position == index:
                assert stream.time_base is not None  # every demuxed stream has one
                ticks = int(where.ticks[index] - where.ticks[0])
                time = float(ticks * stream.time_base)
                yield Frame(index, time, shown(frame, converter))


def _starts(indices: Ints, keyframes: Ints) -> Ints:
    """(n,) the frame at which decoding goes on for each index: after the last, or at a keyframe."""
    keys = keyframes[np.searchsorted(keyframes, indices, side="right") - 1]
    after_last = np.concatenate([[0], indices[:-1] + 1])
    return np.asarray(np.maximum(keys, after_last))


def _decoded(container: Any, stream: Any) -> Iterator[av.VideoFrame]:
    for packet in packets(container, stream):
        try:
            yield from packet.decode()
        except FFmpegError:
            continue
