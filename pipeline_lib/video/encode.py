"""The only writing of video."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Final, Literal

import av
import numpy as np
import numpy.typing as npt
from av.audio.stream import AudioStream
from av.container import OutputContainer

from pipeline_lib.core import tables

Image = npt.NDArray[np.uint8]

_CODEC: Final = "libx264"
# Bytes depend on the number of threads, so it is one; bitexact leaves date and versions out.
# A constant quantiser saves a third of the time against constant quality.
_CODEC_OPTIONS = {"preset": "ultrafast", "qp": "24", "threads": "1"}
_SOUND_CODEC: Final = "aac"
_SOUND_OPTIONS = {"flags": "+bitexact", "aac_coder": "fast"}
_MUXERS = {".avi": "avi", ".mov": "mov", ".mp4": "mp4"}


@dataclass(frozen=True)
class Track:
    """A sound to be written."""

    samples: npt.NDArray[np.int16]  # (n_times,), mono
    sampling_rate: int  # Hz
    start: float = 0.0  # s after the first frame


def write_video(
    path: Path,
    frames: Iterable[Image],
    *,
    frame_rate: int,
    pixels: Literal["rgb24", "yuv420p"] = "rgb24",
    faststart: bool = False,
    sound: Track | None = None,
) -> None:
    """Encode frames, all of one size, as H.264 in an AVI, MOV or MP4; whole or not at all.

    frames     : each (height, width, 3) of rgb24, or (3/2 height, width) of yuv420p, which
                 costs no conversion; height and width are even
    frame_rate : Hz
    faststart  : put the index of a MOV or MP4 first, so that even a truncated file decodes
    sound      : encoded as AAC

    The same frames give the same bytes. Raises ValueError without frames.
    """
    options = {"fflags": "+bitexact"} | ({"movflags": "+faststart"} if faststart else {})

    def encode(temporary: Path) -> None:
        muxer = _MUXERS[path.suffix]
        with av.open(str(temporary), "w", format=muxer, options=options) as container:
            pictures = (av.VideoFrame.from_ndarray(image, format=pixels) for image in frames)
            _encode(container, pictures, frame_rate=frame_rate, sound=sound)

    tables.atomic_write(path, encode)


def _encode(
    container: OutputContainer,
    pictures: Iterator[av.VideoFrame],
    *,
    frame_rate: int,
    sound: Track | None,
) -> None:
    first = next(pictures, None)
    if first is None:
        raise ValueError("no frames to encode")
    stream = container.add_stream(_CODEC, rate=frame_rate, options=_CODEC_OPTIONS)
    stream.pix_fmt = "yuv420p"
    stream.width, stream.height = first.width, first.height
    if sound is not None:
        # All of it before the first frame: the muxer sorts packets, and keeps the shorter stream.
        track = container.add_stream(
            _SOUND_CODEC, rate=sound.sampling_rate, layout="mono", options=_SOUND_OPTIONS
        )
        _encode_sound(container, track, sound)
    for picture in chain([first], pictures):
        container.mux(stream.encode(picture))
    container.mux(stream.encode())


def _encode_sound(container: OutputContainer, stream: AudioStream, sound: Track) -> None:
    frame = av.AudioFrame.from_ndarray(sound.samples[None], format="s16", layout="mono")
    frame.sample_rate = sound.sampling_rate
    frame.time_base = Fraction(1, sound.sampling_rate)
    frame.pts = round(sound.start * sound.sampling_rate)
    container.mux(stream.encode(frame))
    container.mux(stream.encode())
