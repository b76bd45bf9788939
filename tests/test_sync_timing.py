"""Dropped, doubled and uneven frames are counted from the packets' times alone."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, strategies as st

from pipeline_lib.sync.timing import measure, video_timing
from pipeline_lib.twins.folder import truncate
from pipeline_lib.video.decode import VideoError
from pipeline_lib.video.encode import write_video

PERIOD = 0.04  # s


def write(path: Path, milliseconds: list[int]) -> Path:
    """A video whose packets have these times, in a container that keeps whatever it is given."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
        for i, time in enumerate(milliseconds):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), i, np.uint8), format="rgb24")
            frame.pts = 40 * i
            for packet in stream.encode(frame):
                packet.pts, packet.dts = time, i
                container.mux(packet)
    return path


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
@pytest.mark.parametrize(
    ("milliseconds", "constant", "dropped", "duplicated"),
    [
        ([0, 40, 80, 120, 160, 200], True, 0, 0),
        ([0, 40, 80, 200, 240, 360], True, 4, 0),
        ([0, 40, 40, 80, 120, 120], True, 0, 2),
        ([0, 40, 40, 80, 200, 240], True, 2, 1),
        ([0, 40, 90, 130, 150, 190], False, 0, 0),
    ],
)
def test_files_are_measured_exactly(tmp_path, suffix, milliseconds, constant, dropped, duplicated):
    timing, _ = video_timing(write(tmp_path / f"video.{suffix}", milliseconds))
    assert (timing.n_frames, timing.constant) == (6, constant)
    assert (timing.dropped, timing.duplicated) == (dropped, duplicated)
    assert timing.frame_rate == pytest.approx(25)
    assert timing.video_seconds == pytest.approx(milliseconds[-1] / 1000 + PERIOD)


def test_jitter_is_that_of_the_camera():
    late = np.random.default_rng(0).normal(0, 0.001, 1000)
    timing = measure(np.arange(1000) * PERIOD + late)
    assert timing.jitter == pytest.approx(np.sqrt(2) * 0.001, rel=0.1)  # two ends an interval
    assert (timing.constant, timing.dropped) == (False, 0)
    assert measure(np.arange(1000) * PERIOD).jitter == pytest.approx(0, abs=1e-12)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=20), st.floats(5, 120))
def test_every_lost_frame_is_counted(gaps, frame_rate):
    steps = [step for gap in gaps for step in (1, gap, 1)]  # periods
    timing = measure(np.cumsum([0, *steps]) / frame_rate)
    assert (timing.dropped, timing.constant) == (sum(gaps) - len(gaps), True)
    assert timing.frame_rate == pytest.approx(frame_rate)


def test_one_frame_has_no_rate():
    timing = measure(np.zeros(1))
    assert (timing.n_frames, timing.frame_rate, timing.video_seconds) == (1, None, 0)
    assert measure(np.zeros(3)).duplicated == 2


def images(n_frames: int):
    noise = np.random.default_rng(0).integers(0, 255, (n_frames, 48, 64, 3), np.uint8)
    yield from noise


def test_headers_that_say_otherwise_are_told(tmp_path):
    path = tmp_path / "video.mp4"
    write_video(path, images(60), frame_rate=30, faststart=True)
    assert video_timing(path)[1] == ""
    truncate(path, share=0.5)
    timing, problem = video_timing(path)
    assert 20 < timing.n_frames < 40
    assert problem == f"{timing.n_frames} of 60 announced frames are there"


def test_nothing_is_decoded(tmp_path, monkeypatch):
    path = tmp_path / "video.avi"
    write_video(path, images(50), frame_rate=50)
    monkeypatch.setattr("pipeline_lib.video.decode._ticks", None)
    timing, _ = video_timing(path)
    assert (timing.n_frames, timing.constant, timing.dropped) == (50, True, 0)
    assert timing.frame_rate == pytest.approx(50)


def test_what_is_no_video_is_an_error(tmp_path):
    (tmp_path / "video.mp4").write_text("no video")
    with pytest.raises(VideoError, match=r"video\.mp4"):
        video_timing(tmp_path / "video.mp4")
