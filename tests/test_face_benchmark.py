"""The benchmark counts frames of all processes, their memory, and refuses to time a failure."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline_lib.face_study.benchmark import (
    EMBEDDED,
    OPENFACE,
    PLAIN,
    Cost,
    compare,
    first_frame,
    measure,
    programs,
    report,
)
from pipeline_lib.video.decode import frame_times
from tests import openface_stand_in

CLIP = next(Path("assets/neutral_then_smiling").resolve().glob("*.mp4"))
MODEL = next(Path("assets/face_landmarker").resolve().glob("*.task"))


def test_time_and_memory_are_those_of_the_processes() -> None:
    """From a small process: what the one that starts another has in memory counts in its peak."""
    script = (
        "import sys; from pipeline_lib.face_study.benchmark import measure\n"
        "hungry = 'import time; x = b\"1\" * (300 * 2**20); time.sleep(0.5)'\n"
        "cost = measure(lambda _: [sys.executable, '-c', hungry], n_processes=2)\n"
        "print(cost.seconds, cost.peak)"
    )
    said = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True).stdout
    seconds, peak = map(float, said.split())
    assert seconds > 0.5
    assert 300 < peak < 400


def test_a_program_that_fails_is_not_timed() -> None:
    with pytest.raises(RuntimeError, match=r"ended with \[3\]"):
        measure(lambda _: [sys.executable, "-c", "exit(3)"], n_processes=1)


def test_real_openface_runs_beside_them_if_it_is_on_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert OPENFACE not in programs([CLIP], MODEL)
    program = tmp_path / "FeatureExtraction"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {openface_stand_in.__file__} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    words = programs([CLIP, CLIP], MODEL)[OPENFACE](tmp_path)
    assert words[0] == str(program)
    assert measure(lambda _: words, n_processes=1).seconds > 0
    assert {"0.csv", "1.csv"} <= {path.name for path in tmp_path.iterdir()}


def test_plain_loop_and_embedded_extractor_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline_lib.face_study.benchmark.ROUNDS", 1)
    single = first_frame(CLIP, tmp_path)
    assert len(frame_times(single)) == 1
    costs = compare(programs([single], MODEL), n_processes=1)
    assert list(costs) == [PLAIN, EMBEDDED]
    assert all(cost.seconds > 0.5 and cost.peak > 100 for cost in costs.values())


def test_the_report_gives_all_ratios() -> None:
    one = {PLAIN: Cost(9.0, 200.0), EMBEDDED: Cost(10.0, 300.0), OPENFACE: Cost(40.0, 900.0)}
    two = {PLAIN: Cost(9.5, 200.0), EMBEDDED: Cost(11.0, 310.0), OPENFACE: Cost(70.0, 900.0)}
    start = {PLAIN: Cost(1.0, 150.0), EMBEDDED: Cost(1.5, 200.0), OPENFACE: Cost(5.0, 800.0)}
    text = report(one, two, start, n_frames=1000)
    assert "embedded to plain loop: 0.90, start-up left out 0.94" in text
    assert "two processes to one: 1.82" in text
    assert "OpenFace" in text
    assert "embedded         100.0 fps     181.8 fps        1.50 s       300 MiB\n" in text
