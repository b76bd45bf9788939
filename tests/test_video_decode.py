"""Frames, their times and their number are those that decode, whatever the headers say."""

import struct
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, strategies as st

from pipeline_lib.video import seek
from pipeline_lib.video.decode import (
    VideoError,
    at_rate,
    frame_times,
    packet_times,
    probe,
    read_frames,
    reconciled_times,
)

Asset = Callable[[str], Path]

N_FRAMES, RATE = 60, 50
STEP = 4  # of grey from one frame to the next


def write(
    path: Path,
    *,
    ticks: list[int] | None = None,
    faststart: bool = False,
    keyframes: int = 250,
) -> Path:
    """A video whose frame i has mean level STEP * i, with B-frames, at i / RATE s or `ticks`."""
    options = {"movflags": "+faststart"} if faststart else {}
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream("libx264", rate=RATE, options={"bf": "3", "qp": "0"})
        stream.gop_size = keyframes
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for i, image in enumerate(noises()):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts = ticks[i] if ticks else i
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def noises() -> Iterator[npt.NDArray[np.uint8]]:
    rng = np.random.default_rng(0)
    for i in range(N_FRAMES):
        yield np.repeat(rng.integers(STEP * i, STEP * i + 9, (48, 64, 1), np.uint8), 3, axis=2)


def turn(path: Path, matrix: tuple[int, ...]) -> Path:
    """Write into an MP4 how players shall turn its pictures: a, b, c, d of ISO 14496-12, 8.3.2."""

    def stored(a: int, b: int, c: int, d: int) -> bytes:
        return struct.pack(">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)

    head, track = path.read_bytes().split(b"tkhd")
    path.write_bytes(head + b"tkhd" + track.replace(stored(1, 0, 0, 1), stored(*matrix), 1))
    return path


def truncate(path: Path, *, share: float) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


def break_packet(path: Path) -> Path:
    """Overwrite a packet in the middle with zeros."""
    with av.open(str(path)) as container:
        packet = list(container.demux(video=0))[N_FRAMES // 2]
    content = path.read_bytes().replace(bytes(packet), bytes(packet.size))
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("suffix", ["mp4", "mov", "avi"])
def test_frames_come_in_order_of_display_with_their_times(tmp_path: Path, suffix: str) -> None:
    frames = list(read_frames(write(tmp_path / f"video.{suffix}")))
    assert [frame.index for frame in frames] == list(range(N_FRAMES))
    np.testing.assert_allclose([f.time for f in frames], np.arange(N_FRAMES) / RATE, atol=1e-4)
    levels = [frame.rgb.mean() for frame in frames]
    np.testing.assert_allclose(levels, STEP * np.arange(N_FRAMES) + 4, atol=2)


def test_times_of_a_variable_frame_rate_are_kept(tmp_path: Path) -> None:
    ticks = np.cumsum([3] + [1, 4, 2] * (N_FRAMES // 3))[:N_FRAMES].tolist()
    path = write(tmp_path / "variable.mp4", ticks=ticks)
    expected = (np.array(ticks) - ticks[0]) / RATE
    np.testing.assert_allclose(frame_times(path), expected, atol=1e-4)
    np.testing.assert_allclose(packet_times(path), expected, atol=1e-4)


def test_only_the_wanted_frames_are_given(tmp_path: Path) -> None:
    path = write(tmp_path / "video.mp4")
    frames = list(read_frames(path, indices=[40, 3]))
    assert [frame.index for frame in frames] == [3, 40]
    np.testing.assert_allclose([frame.time for frame in frames], [3 / RATE, 40 / RATE], atol=1e-4)
    assert list(read_frames(path, indices=[])) == []


@pytest.mark.parametrize("matrix", [(0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0)])
def test_pictures_stand_as_a_player_shows_them(tmp_path: Path, matrix: tuple[int, ...]) -> None:
    import cv2

    path = turn(write(tmp_path / "video.mp4"), matrix)
    (frame,) = read_frames(path, indices=[20])
    (sought,) = seek.read_by_seeking(path, seek.layout(path), np.array([20]))
    player = cv2.VideoCapture(str(path))
    player.set(cv2.CAP_PROP_POS_FRAMES, 20)
    expected = player.read()[1][:, :, ::-1].astype(int)
    for rgb in (frame.rgb, sought.rgb):
        assert rgb.shape == expected.shape
        assert np.abs(rgb - expected).max() <= 1


@pytest.mark.parametrize(
    ("matrix", "shown"),
    [
        ((-1, 0, 0, 1), lambda rgb: rgb[:, ::-1]),  # as in a mirror
        ((1, 0, 0, -1), lambda rgb: rgb[::-1]),
        ((0, 1, 1, 0), lambda rgb: rgb.swapaxes(0, 1)),
        ((0, -1, -1, 0), lambda rgb: rgb.swapaxes(0, 1)[::-1, ::-1]),
    ],
)
def test_pictures_are_mirrored_as_players_do(tmp_path, matrix, shown):
    path = write(tmp_path / "video.mp4")
    (stored,) = read_frames(path, indices=[20])
    (frame,) = read_frames(turn(path, matrix), indices=[20])
    np.testing.assert_array_equal(frame.rgb, shown(stored.rgb))


@pytest.mark.parametrize("name", ["neutral_then_smiling", "talking", "no_face", "face_enters"])
def test_packets_of_whole_files_tell_the_decoded_times(asset: Asset, name: str) -> None:
    path = asset(name)
    np.testing.assert_allclose(packet_times(path), frame_times(path), atol=1e-9)
    assert probe(path).n_frames == len(frame_times(path))


def test_headers_are_read(asset: Asset) -> None:
    info = probe(asset("neutral_then_smiling"))
    assert (info.width, info.height, info.codec, info.n_frames) == (640, 360, "h264", 72)
    assert info.frame_rate == 30.0
    assert info.duration == pytest.approx(2.4, abs=0.05)


@pytest.mark.parametrize("start", [6, 10, 25])
def test_frames_that_an_edit_list_cuts_away_are_not_announced(tmp_path: Path, start: int) -> None:
    path = write(tmp_path / "video.mp4", keyframes=10)
    with av.open(str(path)) as container:
        ticks = round(start / RATE / container.streams.video[0].time_base)
    content = bytearray(path.read_bytes())
    media_time = content.index(b"elst") + 16  # ISO 14496-12, 8.6.6
    (before,) = struct.unpack_from(">i", content, media_time)
    struct.pack_into(">i", content, media_time, before + ticks)
    path.write_bytes(content)
    assert probe(path).n_frames == len(frame_times(path)) == N_FRAMES - start


def test_pauses_of_an_avi_are_not_announced(tmp_path: Path) -> None:
    ticks = [i + (i > 20) for i in range(N_FRAMES)]  # FFmpeg writes an empty picture in between
    path = write(tmp_path / "video.avi", ticks=ticks)
    assert probe(path).n_frames == len(frame_times(path)) == N_FRAMES
    shorter = truncate(path, share=0.8)
    assert (probe(shorter).n_frames or 0) > len(frame_times(shorter))


@pytest.mark.parametrize("suffix", ["mp4", "avi"])
def test_a_truncated_file_gives_what_decodes(tmp_path: Path, suffix: str) -> None:
    whole = write(tmp_path / f"video.{suffix}", faststart=suffix == "mp4")
    before = [frame.time for frame in read_frames(whole)]
    after = [frame.time for frame in read_frames(truncate(whole, share=0.8))]
    announced = probe(whole).n_frames
    assert announced == N_FRAMES
    assert 5 < len(after) < announced
    np.testing.assert_allclose(after, before[: len(after)], atol=1e-9)


def test_a_broken_packet_costs_only_frames_near_it(tmp_path: Path) -> None:
    path = write(tmp_path / "video.avi")
    whole = frame_times(path)
    times = frame_times(break_packet(path))
    assert N_FRAMES - 10 < len(times) < N_FRAMES
    assert times[-1] == pytest.approx(whole[-1])
    assert all(a < b for a, b in pairwise(times))


def test_a_file_without_frames_is_an_error_that_names_it(tmp_path: Path) -> None:
    empty, text = tmp_path / "empty.mp4", tmp_path / "text.mp4"
    empty.touch()
    text.write_text("not a video")
    no_index = truncate(write(tmp_path / "no_index.mp4"), share=0.7)
    for path in (empty, text, no_index, tmp_path / "missing.mp4"):
        for read in (probe, frame_times, packet_times, lambda p: list(read_frames(p))):
            with pytest.raises(VideoError, match=path.name):
                read(path)


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "sound.mov"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
    with pytest.raises(VideoError, match="no video stream"):
        frame_times(path)


def test_a_cover_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "video.mp4"
    with av.open(str(write(tmp_path / "a.mp4"))) as film, av.open(str(path), "w") as container:
        stream = container.add_stream_from_template(film.streams.video[0])
        cover = container.add_stream("png", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "rgb24"
        cover.disposition = av.stream.Disposition.attached_pic
        container.mux(cover.encode(av.VideoFrame(64, 48, "rgb24")))
        for packet in film.demux(video=0):
            packet.stream = stream
            container.mux([packet] if packet.size else [])
    assert len(frame_times(path)) == N_FRAMES
    whole = path.read_bytes()
    track, tags = (whole.index(name) - 4 for name in (b"trak", b"udta"))
    path.write_bytes(whole[:track] + whole[tags:] + whole[track:tags])  # the cover comes first
    assert len(frame_times(path)) == N_FRAMES


def test_packets_that_do_not_agree_are_decoded(tmp_path: Path) -> None:
    path = break_packet(write(tmp_path / "video.mp4"))
    assert len(packet_times(path)) == N_FRAMES > len(frame_times(path))
    n_decoded = len(frame_times(path))
    assert len(reconciled_times(path, lambda times: len(times) == n_decoded)) == n_decoded
    assert len(reconciled_times(path, lambda times: True)) == N_FRAMES


rising_times = st.lists(st.floats(0.001, 0.5), min_size=1, max_size=80).map(
    lambda steps: np.concatenate([[0.0], np.cumsum(steps)])
)


@given(times=rising_times, fps=st.floats(0.5, 100))
def test_frames_at_a_rate_rise_and_lie_nearest_to_its_grid(
    times: npt.NDArray[np.float64], fps: float
) -> None:
    chosen = at_rate(times, fps=fps)
    assert chosen[0] == 0
    assert (np.diff(chosen) > 0).all()
    grid = np.arange(np.floor(times[-1] * fps) + 1) / fps
    nearest = np.abs(grid[:, None] - times).min(axis=1)
    np.testing.assert_allclose(
        np.abs(grid[:, None] - times[chosen]).min(axis=1), nearest, atol=1e-12
    )
    assert len(chosen) <= min(len(times), len(grid) + np.ceil(fps * 0.25))


@given(n_frames=st.integers(1, 300), rate=st.floats(1, 60), factor=st.floats(1, 3))
def test_a_rate_above_the_native_one_keeps_all(n_frames: int, rate: float, factor: float) -> None:
    times = np.arange(n_frames) / rate
    assert at_rate(times, fps=rate * factor).tolist() == list(range(n_frames))


def test_half_the_rate_keeps_every_second_frame() -> None:
    assert at_rate(np.arange(20) / 25, fps=12.5).tolist() == list(range(0, 20, 2))
    assert at_rate(np.arange(11) / 50, fps=25.0).tolist() == [0, 2, 4, 6, 8, 10]
    assert at_rate(np.zeros(0), fps=25.0).tolist() == []


def test_a_list_of_files_is_no_video(tmp_path, asset):
    listed = tmp_path / "list.avi"
    listed.write_text(f"ffconcat version 1.0\nfile '{asset('talking')}'\n")
    with pytest.raises(VideoError, match=r"list\.avi: cannot be read as video"):
        probe(listed)
