"""What only a recording's own clips can tell: how long it lasts and when its sound begins.

An adapter reads tables and signals. What it leaves open is read from the clips: by decoding or,
to check a download in minutes, from their headers alone.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline_lib.audio import decode as audio
from pipeline_lib.audio.decode import AudioError
from pipeline_lib.recordings import Reading, RecordingError, Source
from pipeline_lib.video import decode as video
from pipeline_lib.video.decode import VideoError


@dataclass(frozen=True)
class Look:
    """How to find the times in a clip; each raises VideoError or AudioError if it has none."""

    video_seconds: Callable[[Path], float]  # from the first frame to the end of the last
    audio_seconds: Callable[[Path], float]
    audio_start: Callable[[Path], float]  # s, the first sample on the file's own clock
    delay: Callable[[Path], float]  # s from the file's first frame to its first sample


def _video_seconds(clip: Path) -> float:
    """As the packets say; but the first frame has to decode."""
    next(video.read_frames(clip, indices=[0]))
    times = video.packet_times(clip)
    return float(times[-1]) * len(times) / max(len(times) - 1, 1)


def _audio_seconds(clip: Path) -> float:
    sound = audio.read_audio(clip)
    return sound.samples.size / sound.sampling_rate


def _announced_seconds(clip: Path) -> float:
    seconds = video.probe(clip).duration
    return _video_seconds(clip) if seconds is None else seconds


DECODED = Look(_video_seconds, _audio_seconds, audio.start_time, audio.delay)
HEADERS = Look(
    _announced_seconds, audio.announced_seconds, audio.announced_start, audio.announced_delay
)


def completed(
    source: Source, reading: Reading | RecordingError, look: Look
) -> Reading | RecordingError:
    """Fill in what the adapter left open: when the sound begins, how long the recording lasts.

    A clip that cannot be read is told as missing. If nothing else was recorded, its error is
    the outcome.
    """
    try:
        return reading if isinstance(reading, RecordingError) else _completed(source, reading, look)
    except RecordingError as error:
        return error


def _completed(source: Source, reading: Reading, look: Look) -> Reading:
    if source.video and reading.video_start is not None and reading.duration is None:
        try:
            seconds = reading.video_start + look.video_seconds(source.video)
            reading = replace(reading, duration=seconds)
        except VideoError as error:
            if not reading.signals and source.audio in (None, source.video):
                raise
            reading = replace(reading, video_start=None, missing=(*reading.missing, str(error)))
    if source.audio and reading.audio_start is None:
        try:
            start = _audio_start(source.audio, source.video, reading.video_start, look)
            if reading.duration is None:
                reading = replace(reading, duration=start + look.audio_seconds(source.audio))
            reading = replace(reading, audio_start=start)
        except AudioError as error:
            if not reading.signals and reading.video_start is None:
                raise
            reading = replace(reading, missing=(*reading.missing, f"no sound: {error}"))
    return reading


def _audio_start(sound: Path, clip: Path | None, video_start: float | None, look: Look) -> float:
    """s from stimulus onset to the first sample.

    A sound file has no clock. It is taken to be cut from the clip's sound track, and so to begin
    with it [?], or with the clip if that has none.
    """
    if sound == clip:
        return (video_start or 0.0) + look.delay(sound)
    look.audio_start(sound)  # it has to be readable
    if clip is None or video_start is None:
        return 0.0
    try:
        return video_start + look.delay(clip)
    except AudioError:
        return video_start
