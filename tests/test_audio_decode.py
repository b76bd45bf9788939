"""Sound against SciPy's reader and against what was encoded: samples, times, gaps, damage."""

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from scipy.io import wavfile
from scipy.signal import chirp

from pipeline_lib.audio import decode
from pipeline_lib.audio.decode import AudioError, delay, read_audio, read_blocks, start_time
from pipeline_lib.twins.shared.wav import write_wav
from pipeline_lib.video.encode import Track, write_video

RATE = 16_000
SWEEP = chirp(np.arange(2 * RATE) / RATE, f0=200, f1=3000, t1=2.0)
TRACK = Track((20_000 * SWEEP).astype(np.int16), RATE)
FRAMES = [np.full((48, 64, 3), 8 * i, np.uint8) for i in range(25)]


def write_wave(path: Path, samples: npt.NDArray[np.generic]) -> Path:
    """With SciPy; (n_times,) or (n_times, n_channels)."""
    wavfile.write(path, RATE, samples)
    return path


def write_mkv(path: Path, starts: Sequence[float], *, rate: int = RATE) -> Path:
    """Pieces of 0.5 s of sound of level 0.5, 0.25, ... that begin at `starts`."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=rate, layout="mono")
        for i, start in enumerate(starts):
            piece = np.full((1, rate // 2), 2**14 >> i, np.int16)
            frame = av.AudioFrame.from_ndarray(piece, format="s16", layout="mono")
            frame.sample_rate, frame.pts = rate, round(start * rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize(
    ("dtype", "scale", "offset"),
    [(np.int16, 2**15, 0), (np.int32, 2**31, 0), (np.uint8, 2**7, 128), (np.float32, 1, 0)],
)
def test_samples_are_those_that_scipy_reads(tmp_path, dtype, scale, offset):
    path = write_wave(tmp_path / "a.wav", (0.9 * scale * SWEEP + offset).astype(dtype))
    rate, expected = wavfile.read(path)
    sound = read_audio(path)
    assert (sound.sampling_rate, sound.start, sound.lost) == (rate, 0, 0)
    assert sound.samples.dtype == np.float32
    np.testing.assert_allclose(sound.samples, (expected.astype(float) - offset) / scale, atol=1e-6)


@pytest.mark.parametrize("n_channels", [2, 8, 36])
def test_channels_are_averaged(tmp_path, n_channels):
    levels = np.arange(n_channels, dtype=np.int16) * 800 - 400
    path = write_wave(tmp_path / "a.wav", np.tile(levels, (RATE, 1)))
    expected = np.full(RATE, levels.mean() / 2**15)
    np.testing.assert_allclose(read_audio(path).samples, expected, atol=1e-6)


def test_written_wav_is_what_scipy_reads(tmp_path):
    write_wav(tmp_path / "a.wav", TRACK)
    rate, samples = wavfile.read(tmp_path / "a.wav")
    assert rate == RATE
    np.testing.assert_array_equal(samples, TRACK.samples)


def test_a_packet_may_hold_several_frames(tmp_path):
    """Dictaphones write ADPCM, of which FFmpeg reads two blocks at once at this rate."""
    with av.open(str(tmp_path / "a.wav"), "w") as container:
        stream = container.add_stream("adpcm_ima_wav", rate=44_100, layout="mono")
        stream.codec_context.open()
        for block in TRACK.samples[: 14 * stream.frame_size].reshape(14, 1, -1):
            frame = av.AudioFrame.from_ndarray(block, format="s16p", layout="mono")
            frame.sample_rate = 44_100
            container.mux(stream.encode(frame))
    sound = read_audio(tmp_path / "a.wav")
    assert (sound.samples.size, sound.lost) == (14 * stream.frame_size, 0)
    assert np.corrcoef(sound.samples, SWEEP[: sound.samples.size])[0, 1] > 0.99


def test_sound_track_is_the_wav_that_it_was_made_of(tmp_path):
    write_video(tmp_path / "a.mp4", FRAMES, frame_rate=25, sound=TRACK)
    sound = read_audio(tmp_path / "a.mp4")
    assert sound.sampling_rate == RATE
    assert sound.start == pytest.approx(0, abs=1e-3)
    n_times = min(sound.samples.size, SWEEP.size)
    assert abs(sound.samples.size - SWEEP.size) < 0.1 * RATE  # AAC fills up whole frames
    assert np.corrcoef(sound.samples[:n_times], SWEEP[:n_times])[0, 1] > 0.95


@pytest.mark.parametrize("late", [0.0, 0.25])
def test_sound_lies_where_it_was_put_against_the_first_frame(tmp_path, late):
    click = np.zeros(RATE, np.int16)
    click[RATE // 2 : RATE // 2 + 40] = 20_000
    write_video(tmp_path / "a.mp4", FRAMES, frame_rate=25, sound=Track(click, RATE, start=late))
    sound = read_audio(tmp_path / "a.mp4")
    start = delay(tmp_path / "a.mp4")
    assert start == pytest.approx(sound.start, abs=1e-6)  # the video begins at 0
    heard = start + np.flatnonzero(np.abs(sound.samples) > 0.3)[0] / RATE
    assert heard == pytest.approx(late + 0.5, abs=2e-3)
    assert late - 1024 / RATE <= start <= late  # AAC may begin with a frame of silence


def test_blocks_are_bounded_and_join_to_the_whole(tmp_path, monkeypatch):
    write_wav(tmp_path / "a.wav", TRACK)
    whole = read_audio(tmp_path / "a.wav")
    monkeypatch.setattr(decode, "BLOCK_SAMPLES", 5000)
    blocks = list(read_blocks(tmp_path / "a.wav"))
    assert max(block.samples.size for block in blocks) < 5000 + 4096
    assert [block.start for block in blocks[:2]] == [0, blocks[0].samples.size / RATE]
    np.testing.assert_array_equal(np.concatenate([b.samples for b in blocks]), whole.samples)
    np.testing.assert_array_equal(read_audio(tmp_path / "a.wav").samples, whole.samples)


def test_what_is_lost_is_silent_and_the_rest_keeps_its_times(tmp_path):
    path = write_mkv(tmp_path / "a.mkv", [0.0, 1.0])
    sound = read_audio(path)
    assert sound.lost == pytest.approx(0.5)
    levels = [sound.samples[round(time * RATE)] for time in (0.25, 0.75, 1.25)]
    assert levels == [0.5, 0, 0.25]
    assert [round(block.start, 3) for block in read_blocks(path)] == [0, 1]


def test_times_that_go_back_are_an_error(tmp_path):
    path = write_mkv(tmp_path / "a.mkv", [0.0, 0.5, 0.7])
    with pytest.raises(AudioError, match=r"a\.mkv: at 0\.700 s times go back by 0\.300 s"):
        read_audio(path)


def test_a_gap_fills_no_memory(tmp_path):
    path = write_mkv(tmp_path / "a.mkv", [0.0, 1e6])
    with pytest.raises(AudioError, match=f"more than {decode.MAX_SAMPLES} samples"):
        read_audio(path)


def test_too_long_a_sound_is_read_in_blocks_only(tmp_path, monkeypatch):
    write_wav(tmp_path / "a.wav", TRACK)
    monkeypatch.setattr(decode, "MAX_SAMPLES", RATE)
    with pytest.raises(AudioError, match="more than 16000 samples"):
        read_audio(tmp_path / "a.wav")
    assert sum(block.samples.size for block in read_blocks(tmp_path / "a.wav")) == 2 * RATE


@pytest.mark.parametrize("faststart", [False, True])
def test_truncated_track_is_an_error(tmp_path, faststart):
    path = tmp_path / "a.mp4"
    write_video(path, FRAMES * 2, frame_rate=25, sound=TRACK, faststart=faststart)
    path.write_bytes(path.read_bytes()[: int(0.6 * path.stat().st_size)])
    with pytest.raises(AudioError, match=r"a\.mp4: (truncated.* of 2\.\d\d s|cannot be read)"):
        read_audio(path)


def test_truncated_wav_is_an_error(tmp_path):
    write_wav(tmp_path / "a.wav", TRACK)
    content = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "a.wav").write_bytes(content[: len(content) // 2])
    for read in (read_audio, start_time):
        with pytest.raises(AudioError, match=r"a\.wav: truncated, 32022 of 64044 bytes"):
            read(tmp_path / "a.wav")


def test_wav_from_a_pipe_says_no_size(tmp_path):
    write_wav(tmp_path / "a.wav", TRACK)
    content = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "a.wav").write_bytes(content.replace(content[4:8], b"\xff" * 4, 1))
    assert read_audio(tmp_path / "a.wav").samples.size == 2 * RATE


def test_a_file_without_sound_is_an_error_that_names_it(tmp_path):
    write_video(tmp_path / "silent.mp4", FRAMES, frame_rate=25)
    write_wave(tmp_path / "header.wav", np.empty(0, np.int16))
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("no sound")
    names = ("silent.mp4", "header.wav", "empty.wav", "text.wav", "missing.wav")
    for path in (tmp_path / name for name in names):
        for read in (read_audio, start_time, delay, lambda path: list(read_blocks(path))):
            with pytest.raises(AudioError, match=path.name):
                read(path)


def test_names_in_no_known_encoding_do_no_harm(tmp_path):
    write_video(tmp_path / "a.mp4", FRAMES, frame_rate=25, sound=TRACK)
    content = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "a.mp4").write_bytes(content.replace(b"SoundHandler", b"Sound\xffandler"))
    assert read_audio(tmp_path / "a.mp4").samples.size >= SWEEP.size


def test_playlists_open_no_other_file(tmp_path):
    write_wav(tmp_path / "a.wav", TRACK)
    (tmp_path / "hls.wav").write_text("#EXTM3U\n#EXTINF:2,\na.wav\n#EXT-X-ENDLIST\n")
    (tmp_path / "concat.wav").write_text("ffconcat version 1.0\nfile a.wav\n")
    for name in ("hls.wav", "concat.wav"):
        with pytest.raises(AudioError, match=name):
            read_audio(tmp_path / name)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(places=st.dictionaries(st.integers(0, 43), st.integers(0, 255), max_size=6))
def test_any_header_gives_a_sound_or_an_audio_error(tmp_path, places):
    write_wav(tmp_path / "a.wav", Track(TRACK.samples[:2000], RATE))
    content = bytearray((tmp_path / "a.wav").read_bytes())
    for place, value in places.items():
        content[place] = value
    (tmp_path / "a.wav").write_bytes(content)
    try:
        assert 0 < read_audio(tmp_path / "a.wav").samples.size <= decode.MAX_SAMPLES
    except AudioError as error:
        assert "a.wav" in str(error)  # noqa: PT017
