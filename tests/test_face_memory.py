"""Memory does not grow with the video, and the curve that shows it is right."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline_lib.face_study.memory import Moment, curve, repeat, report
from pipeline_lib.video.decode import frame_times

Asset = Callable[[str], Path]


def test_a_repeated_video_goes_on_where_it_ended(asset: Asset, tmp_path: Path) -> None:
    once, times = frame_times(asset("talking")), 3
    repeat(asset("talking"), tmp_path / "long.mkv", seconds=(times - 0.5) * 4)
    found = frame_times(tmp_path / "long.mkv")
    assert len(found) == times * len(once)
    assert np.diff(found) == pytest.approx(1001 / 30000, abs=0.002)


def test_memory_does_not_grow_with_the_video(asset: Asset, tmp_path: Path) -> None:
    repeat(asset("talking"), tmp_path / "long.mkv", seconds=40)
    moments = curve(tmp_path / "long.mkv", asset("face_landmarker"), fps=6.0)
    assert len(moments) == pytest.approx(240, abs=2)
    rss = np.array([moment.rss for moment in moments])
    assert rss[-60:].max() - rss[60:120].max() < 8  # MiB; a frame of 640x360 kept each is 0.7
    assert rss.max() - rss[0] < 300  # above what this process had from tests before


def test_the_report_gives_memory_and_time_by_part() -> None:
    moments = [Moment(video=6.0 * i, busy=0.02 * i, rss=200.0 + (i > 5)) for i in range(10)]
    _, first, second = report(moments, n_parts=2).splitlines()
    assert first.split() == ["0.4", "5", "200", "20.0"]
    assert second.split() == ["0.9", "5", "201", "20.0"]
