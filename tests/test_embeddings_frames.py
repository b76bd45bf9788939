"""Sampled frames are the right ones however they are reached, and are counted as they decode."""

from fractions import Fraction
from itertools import accumulate
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline_lib.embeddings import frames
from pipeline_lib.embeddings.sampling import frame_indices
from pipeline_lib.video import seek
from pipeline_lib.video.decode import VideoError, frame_times, read_frames


def write(path: Path, n_frames: int, *, gop: int, ticks: list[int] | None = None) -> Path:
    """A video whose frame i has level i, with B-frames, a keyframe every `gop`."""
    options = {"bf": "2", "qp": "0", "g": str(gop), "sc_threshold": "0"}
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=50, options=options)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "gray"
        stream.codec_context.time_base = Fraction(1, 50)
        for i in range(n_frames):
            frame = av.VideoFrame.from_ndarray(np.full((32, 32), i % 250, np.uint8), format="gray")
            frame.pts = ticks[i] if ticks else i
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def levels(path: Path, n: int) -> tuple[list[int], frames.Sample]:
    found = frames.sample(path, n, lambda frame: int(frame.rgb.mean().round()))
    return [found.items[place] for place in found.places], found


def by_hand(path: Path, n: int) -> tuple[list[int], list[float]]:
    every = list(read_frames(path))
    chosen = [every[i] for i in frame_indices(len(every), n)]
    return [int(f.rgb.mean().round()) for f in chosen], [f.time for f in chosen]


@pytest.mark.parametrize("gop", [4, 12, 1000])
def test_frames_are_those_of_a_loop_over_all(tmp_path, gop):
    path = write(tmp_path / "v.mp4", 240, gop=gop)
    found, sample = levels(path, 8)
    expected, times = by_hand(path, 8)
    assert found == expected
    np.testing.assert_allclose(sample.times, times)


@pytest.mark.parametrize(("gop", "seeks"), [(4, True), (1000, False)])
def test_seeking_is_chosen_where_it_decodes_less(tmp_path, gop, seeks, monkeypatch):
    path = write(tmp_path / "v.mp4", 240, gop=gop)
    where = seek.layout(path)
    indices = frame_indices(240, 8)
    assert frames.pays_to_seek(where, indices) == seeks
    monkeypatch.setattr(frames, "read_frames", lambda *_, **__: pytest.fail("read from the start"))
    if seeks:
        np.testing.assert_allclose(levels(path, 8)[1].times, indices / 50)


def test_what_seeking_decodes_is_counted():
    indices, keyframes = np.array([0, 9, 25, 26]), np.array([0, 8, 16, 24])
    assert seek.decoded_by_seeking(indices, keyframes) == (1 + 2 + 2 + 1, 2)


def test_times_are_those_of_the_frames_at_a_rate_that_varies(tmp_path):
    ticks = list(accumulate([1, 3, 1, 1, 7] * 10))
    path = write(tmp_path / "v.mkv", 50, gop=1000, ticks=ticks)
    found, sample = levels(path, 16)
    expected, times = by_hand(path, 16)
    assert found == expected
    assert np.ptp(np.diff(sample.times)) > 0.05
    np.testing.assert_allclose(sample.times, times)


def test_ten_frames_are_repeated_and_prepared_once(tmp_path):
    prepared = []
    found = frames.sample(write(tmp_path / "v.mp4", 10, gop=12), 32, prepared.append)
    assert (len(prepared), len(found.items), found.times.shape) == (10, 10, (32,))
    assert found.places.tolist() == frame_indices(10, 32).tolist()


def test_frames_of_a_broken_video_are_counted_as_they_decode(tmp_path):
    """A packet is zeros, and the file breaks off: there are fewer frames than packets."""
    path = write(tmp_path / "v.mkv", 200, gop=1000)
    with av.open(str(path)) as container:
        packet = list(container.demux(video=0))[100]
    content = path.read_bytes().replace(bytes(packet), bytes(packet.size))
    path.write_bytes(content[: int(0.9 * len(content))])
    n_decoded = len(frame_times(path))
    assert n_decoded < len(seek.layout(path).ticks) < 200
    found, sample = levels(path, 16)
    assert found == by_hand(path, 16)[0]
    assert sample.times[-1] == frame_times(path)[-1]


def test_what_is_no_video_is_an_error_that_names_it(tmp_path):
    (tmp_path / "v.mp4").write_bytes(b"nothing")
    with pytest.raises(VideoError, match=r"v.mp4"):
        frames.sample_times(tmp_path / "v.mp4", 32)
