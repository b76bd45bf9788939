"""The frames that stand for a clip: exactly those, decoding as little as possible."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from pipeline_lib.embeddings.sampling import Ints, frame_indices
from pipeline_lib.video import seek
from pipeline_lib.video.decode import Frame, frame_times, read_frames

Floats = npt.NDArray[np.float64]
Item = TypeVar("Item")

# What a seek costs besides the frames that it decodes, in frames: 3 as measured by
# `python -m pipeline_lib.studies.embedding_speed`, rounded up.
SEEK = 4


@dataclass(frozen=True)
class Sample(Generic[Item]):
    """What was made of a clip's sampled frames; the distinct ones are there once."""

    times: Floats  # (n,) s from the first frame
    places: Ints  # (n,) of each sampled frame among the items
    items: list[Item]


def sample(path: Path, n: int, prepare: Callable[[Frame], Item]) -> Sample[Item]:
    """Hand the n sampled frames to `prepare`, one at a time, and keep only what it makes of them.

    Frames are counted as they decode. Where a file's packets announce as many, one pass does, or
    seeking, if that decodes less; else the frames are counted by decoding first. Seeking trusts
    the packets between two sampled frames. Raises VideoError if nothing decodes.
    """
    where = seek.layout(path)
    n_frames = len(where.ticks)
    indices = np.unique(frame_indices(n_frames, n))
    if pays_to_seek(where, indices):
        found = _prepared(seek.read_by_seeking(path, where, indices), prepare)
        if set(found) == set(indices.tolist()):
            return _sample(found, n_frames, n)
    # The frame after the last must not be there.
    found = _prepared(read_frames(path, indices=[*indices.tolist(), n_frames]), prepare)
    if set(found) != set(indices.tolist()):
        n_frames = len(frame_times(path))
        found = _prepared(read_frames(path, indices=frame_indices(n_frames, n).tolist()), prepare)
    return _sample(found, n_frames, n)


def sample_times(path: Path, n: int) -> Floats:
    """(n,) s from the first frame, of the sampled frames; the pictures are not converted."""
    return sample(path, n, lambda frame: None).times


def pays_to_seek(where: seek.Layout, indices: Ints) -> bool:
    """Whether seeking to these frames, rising, costs less than reading up to the last one."""
    if not where.can_seek:
        return False
    n_decoded, n_seeks = seek.decoded_by_seeking(indices, where.keyframes)
    return n_decoded + SEEK * n_seeks < int(indices[-1]) + 1


def _prepared(
    read: Iterator[Frame], prepare: Callable[[Frame], Item]
) -> dict[int, tuple[float, Item]]:
    return {frame.index: (frame.time, prepare(frame)) for frame in read}


def _sample(found: dict[int, tuple[float, Item]], n_frames: int, n: int) -> Sample[Item]:
    chosen = frame_indices(n_frames, n)
    distinct, places = np.unique(chosen, return_inverse=True)
    times = np.array([found[i][0] for i in distinct.tolist()])
    return Sample(times[places], places, [found[i][1] for i in distinct.tolist()])
