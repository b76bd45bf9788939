"""The benchmark counts frames of all processes and refuses to time a failure."""

import sys

import pytest

from pipeline_lib.face.benchmark import _report, measure


def test_frames_of_all_processes_count() -> None:
    speed = measure(lambda _: ["sleep", "0.5"], n_processes=2, n_frames=100)
    assert 50 < speed <= 400


def test_a_program_that_fails_is_not_timed() -> None:
    with pytest.raises(RuntimeError, match=r"ended with \[3\]"):
        measure(lambda _: [sys.executable, "-c", "exit(3)"], n_processes=1, n_frames=1)


def test_the_report_gives_both_ratios() -> None:
    speeds = {("plain loop", 1): 50.0, ("embedded", 1): 45.0, ("embedded", 2): 81.0}
    report = _report(speeds | {("plain loop", 2): 90.0}, n_frames=472)
    assert "embedded to plain loop: 0.90; two processes to one: 1.80" in report
