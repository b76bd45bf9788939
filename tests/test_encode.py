"""Written videos, as PyAV reads them."""

import av
import numpy as np
import pytest

from pipeline_lib.video.encode import write_video


def frames(n_frames: int) -> list[np.ndarray]:
    """Plain colours that get brighter."""
    return [np.full((48, 64, 3), (10 + 8 * i, 100, 200), np.uint8) for i in range(n_frames)]


@pytest.mark.parametrize("suffix", [".avi", ".mov", ".mp4"])
def test_frames_come_back(tmp_path, suffix):
    path = tmp_path / f"video{suffix}"
    write_video(path, frames(20), frame_rate=25)
    with av.open(str(path)) as container:
        decoded = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        assert container.streams.video[0].average_rate == 25
    assert len(decoded) == 20
    for written, read in zip(frames(20), decoded, strict=True):
        np.testing.assert_allclose(read.mean(axis=(0, 1)), written[0, 0], atol=6)


def test_yuv_is_written_as_it_is(tmp_path):
    grey = np.full((72, 64), 128, np.uint8)
    write_video(tmp_path / "grey.mov", [grey] * 3, frame_rate=25, pixels="yuv420p")
    with av.open(str(tmp_path / "grey.mov")) as container:
        decoded = [frame.to_ndarray() for frame in container.decode(video=0)]
    np.testing.assert_array_equal(decoded, [grey] * 3)


@pytest.mark.parametrize("suffix", [".avi", ".mov", ".mp4"])
def test_same_frames_same_bytes(tmp_path, suffix):
    paths = [tmp_path / f"{name}{suffix}" for name in ("one", "two")]
    for path in paths:
        write_video(path, frames(20), frame_rate=25)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_failing_frames_leave_nothing_behind(tmp_path):
    with pytest.raises(ValueError, match="no frames"):
        write_video(tmp_path / "none.mp4", [], frame_rate=25)
    assert list(tmp_path.iterdir()) == []


def test_index_comes_first_with_faststart(tmp_path):
    for faststart in (False, True):
        path = tmp_path / "video.mov"
        write_video(path, frames(20), frame_rate=25, faststart=faststart)
        content = path.read_bytes()
        assert (content.index(b"moov") < content.index(b"mdat")) == faststart
