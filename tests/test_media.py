"""What an adapter leaves open is read from the clips, by decoding or from their headers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline_lib.media import DECODED, HEADERS, completed
from pipeline_lib.recordings import Reading, RecordingError, Signal, Source
from pipeline_lib.twins.shared.wav import write_wav
from pipeline_lib.video.encode import Track, write_video

RATE = 16_000
HUM = Track(np.resize(np.array([0, 9000, 0, -9000], np.int16), RATE), RATE)
BOTH = pytest.mark.parametrize("look", [DECODED, HEADERS], ids=["decoded", "headers"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """2 s of video at 25 Hz, with a second of sound and without; that second alone; no video."""
    folder = tmp_path_factory.mktemp("clips")
    frames = [np.full((48, 64, 3), 5 * i, np.uint8) for i in range(50)]
    write_video(folder / "sound.mp4", frames, frame_rate=25, sound=HUM)
    write_video(folder / "silent.mp4", frames, frame_rate=25)
    write_wav(folder / "sound.wav", HUM)
    (folder / "broken.mp4").write_bytes(b"no video")
    return folder


def source(video: Path | None, audio: Path | None = None) -> Source:
    return Source("a", "s", "t", "x", None, None, video, audio)


@BOTH
def test_length_and_sound_come_from_the_clip(folder, look):
    clip = folder / "sound.mp4"
    reading = completed(source(clip, clip), Reading(video_start=-0.5), look)
    assert reading.duration == pytest.approx(1.5, abs=0.05)
    assert reading.audio_start == pytest.approx(-0.5, abs=0.07)  # AAC begins with silence


@BOTH
def test_sound_alone_lasts_as_long_as_its_file(folder, look):
    reading = completed(source(None, folder / "sound.wav"), Reading(), look)
    assert (reading.audio_start, reading.duration) == (0.0, 1.0)


@BOTH
def test_what_an_adapter_knows_stays(folder, look):
    known = Reading(video_start=0.0, audio_start=0.25, duration=7.0)
    assert completed(source(folder / "broken.mp4", folder / "none.wav"), known, look) == known
    error = RecordingError("empty cell")
    assert completed(source(folder / "sound.mp4"), error, look) is error


@BOTH
def test_broken_video_costs_the_recording_unless_something_else_is_there(folder, look):
    broken, wav = folder / "broken.mp4", folder / "sound.wav"
    alone = completed(source(broken, broken), Reading(video_start=0.0), look)
    assert "cannot be read as video" in str(alone)
    ecg = Signal("ECG", "mV", 128.0, 0.0, np.arange(128.0))
    for reading in (
        completed(source(broken), Reading((ecg,), video_start=0.0), look),
        completed(source(broken, wav), Reading(video_start=0.0), look),
    ):
        assert reading.video_start is None
        assert "broken.mp4: cannot be read as video" in reading.missing[0]
    assert reading.duration == 1.0


@BOTH
def test_silence_is_told(folder, look):
    clip = folder / "silent.mp4"
    reading = completed(source(clip, clip), Reading(video_start=0.0), look)
    assert (reading.audio_start, reading.duration) == (None, pytest.approx(2.0))
    assert reading.missing == (f"no sound: {clip}: no audio stream in it",)
    wav = completed(source(clip, folder / "sound.wav"), Reading(video_start=0.0), look)
    assert wav.audio_start == 0.0


def test_headers_are_all_that_is_read(folder, tmp_path):
    clip = folder / "silent.mp4"
    content = bytearray(clip.read_bytes())
    start = content.index(b"mdat") + 4
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(content.replace(content[start : start + 500], bytes(500)))
    told = replace(source(damaged), video=damaged)
    assert completed(told, Reading(video_start=0.0), HEADERS).duration == pytest.approx(2.0)
    assert "decodes" in str(completed(told, Reading(video_start=0.0), DECODED))
