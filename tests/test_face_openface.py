"""Whatever the extractor does to itself, each recording gets its rows or its own reason."""

import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from pipeline_lib.core.schema import GAZE_ANGLES, LANDMARKS, OPENFACE, POSE, validate
from pipeline_lib.face import process
from pipeline_lib.face.container import ExtractorError
from pipeline_lib.face.openface import batches, extract_batch
from pipeline_lib.face.program import ExtractorMissing
from pipeline_lib.incremental import Result
from pipeline_lib.params import Execution, OpenFace
from pipeline_lib.video.encode import write_video
from tests import openface_stand_in as stand_in

STAND_IN = shlex.join([sys.executable, str(Path(stand_in.__file__).resolve())])
PARAMS = OpenFace(command=STAND_IN, options="-q", fps=None, batch=8, timeout=0.001, min_success=0.1)


@pytest.fixture(autouse=True)
def _cache_in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def video(folder: Path, name: str, *, n_frames: int = stand_in.N_ROWS) -> Path:
    path = folder / name
    images = [np.full((32, 48, 3), 8 * i % 256, np.uint8) for i in range(n_frames)]
    write_video(path, images, frame_rate=stand_in.RATE)
    return path


def extract(folder: Path, *names: str, openface: OpenFace = PARAMS) -> dict[str, Result]:
    """Extract one recording a name, in this order; a video is made where there is none."""
    for name in names:
        if not (folder / name).exists():
            video(folder, name)
    recordings = [{"recording_id": name.split(".")[0], "video": name} for name in names]
    return dict(extract_batch(recordings, root=folder, openface=openface))


def statuses(results: dict[str, Result]) -> dict[str, str]:
    return {name: result.status for name, result in results.items()}


def test_rows_have_the_decoded_times_and_the_schema(tmp_path: Path) -> None:
    (result,) = extract(tmp_path, "a.mp4").values()
    assert (result.status, result.frames, result.faces) == ("ok", 20, 18)
    assert result.table is not None
    validate(result.table, OPENFACE, "rows")
    np.testing.assert_allclose(result.table["time"], np.arange(20) / stand_in.RATE, atol=1e-6)
    assert set(result.table["backend"]) == {"OpenFace"}
    lost = result.table.filter(~pl.col("success"))
    assert lost["frame"].to_list() == [row + 1 for row in stand_in.LOST]
    assert lost.select(*POSE, *GAZE_ANGLES, *LANDMARKS).null_count().row(0) == (2,) * 144


def test_the_programs_own_timestamps_are_replaced(tmp_path: Path) -> None:
    path = tmp_path / "slow.mp4"
    images = [np.full((32, 48, 3), 8 * i, np.uint8) for i in range(stand_in.N_ROWS)]
    write_video(path, images, frame_rate=10)  # the stand-in believes in 25 Hz
    (result,) = extract(tmp_path, "slow.mp4").values()
    assert result.table is not None
    np.testing.assert_allclose(result.table["time"], np.arange(20) / 10, atol=1e-6)


def test_an_unreadable_input_that_ends_with_0_and_no_csv_fails_alone(tmp_path: Path) -> None:
    results = extract(tmp_path, "a.mp4", "unreadable.mp4", "b.mp4", "unreadable_last.mp4")
    assert statuses(results) == {
        "a": "ok",
        "unreadable": "failed",
        "b": "ok",
        "unreadable_last": "failed",
    }
    for name in ("unreadable", "unreadable_last"):
        reason = results[name].reason
        assert reason.startswith(f"{name}.mp4: ended with exit code 0 and no CSV: Attempting to")
        assert reason.endswith(f"Failed to open the video file at location: {name}.mp4")


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("dies.mp4", "exit code 5"),
        ("dies_killed.mp4", "signal 9"),
        ("unfinished.mp4", "exit code 5"),  # all rows are there, action units not yet final
    ],
)
@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_crash_costs_only_the_recording_at_which_it_happens(
    tmp_path: Path, name: str, how: str, position: int
) -> None:
    names = ["a.mp4", "b.mp4"]
    names.insert(position, name)
    results = extract(tmp_path, *names)
    dead = results.pop(name.removesuffix(".mp4"))
    assert statuses(results) == {"a": "ok", "b": "ok"}
    assert dead.status == "failed"
    assert name in dead.reason
    assert how in dead.reason


def test_a_hang_is_killed_and_costs_one_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "START_UP", 4.0)
    results = extract(tmp_path, "a.mp4", "dies_hangs.mp4", "b.mp4")
    assert statuses(results) == {"a": "ok", "dies_hangs": "failed", "b": "ok"}
    assert "openface.timeout" in results["dies_hangs"].reason
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "dies_hangs.pid").read_text()), 0)


def test_action_units_are_those_of_the_end(tmp_path: Path) -> None:
    """Also of the last video that was done before the program died at the next."""
    results = extract(tmp_path, "a.mp4", "unfinished.mp4")
    table = results["a"].table
    assert table is not None
    assert set(table["AU12_r"].drop_nulls()) == {stand_in.CELLS["AU12_r"][0]}


@pytest.mark.parametrize("name", ["a b.mp4", "1.2,3;(x).mp4", "Ünïcödé 笑.mp4", "-q.mp4"])
def test_any_file_name_goes(tmp_path: Path, name: str) -> None:
    video(tmp_path, name)
    recordings = [{"recording_id": "P1.02_t-1", "video": name}, {"recording_id": "P1.02_t-2"}]
    recordings[1]["video"] = name
    results = dict(extract_batch(recordings, root=tmp_path, openface=PARAMS))
    assert statuses(results) == {"P1.02_t-1": "ok", "P1.02_t-2": "ok"}


@pytest.mark.parametrize("options", ["-q", "-q -appends"])
def test_a_program_may_take_a_name_with_or_without_its_suffix(tmp_path: Path, options: str) -> None:
    """OpenFace cuts off what follows the last dot; others put .csv behind whatever they get."""
    video(tmp_path, "a.mp4")
    names = ["plain", "P1.02_t-1", "P1.02_t-2"]
    recordings = [{"recording_id": name, "video": "a.mp4"} for name in names]
    openface = PARAMS.model_copy(update={"options": options})
    results = dict(extract_batch(recordings, root=tmp_path, openface=openface))
    assert statuses(results) == dict.fromkeys(names, "ok")


def test_results_come_while_the_program_runs(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4", "dies_hangs.mp4"):
        video(tmp_path, name)
    recordings = [{"recording_id": n, "video": f"{n}.mp4"} for n in ("a", "b", "dies_hangs")]
    results = extract_batch(recordings, root=tmp_path, openface=PARAMS)
    assert [next(results)[0], next(results)[0]] == ["a", "b"]
    pid = int((tmp_path / "dies_hangs.pid").read_text())
    os.kill(pid, 0)  # it still runs
    results.close()  # type: ignore[attr-defined]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert list((tmp_path / ".cache").iterdir()) == []


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs util-linux")
def test_a_killed_stage_leaves_no_program_behind(tmp_path: Path) -> None:
    video(tmp_path, "dies_hangs.mp4")
    code = (
        "from pathlib import Path; from pipeline_lib.face.openface import extract_batch; "
        "from pipeline_lib.params import OpenFace; "
        f"openface = OpenFace(**{PARAMS.model_dump()!r}); "
        "recording = {'recording_id': 'a', 'video': 'dies_hangs.mp4'}; "
        "list(extract_batch([recording], root=Path(), openface=openface))"
    )
    root = str(Path(stand_in.__file__).parents[1])
    stage = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": root})
    pid = _wait_for(tmp_path / "dies_hangs.pid")
    stage.kill()
    stage.wait()
    assert _ends(pid)


def _wait_for(path: Path) -> int:
    deadline = time.monotonic() + 60
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < deadline, f"{path.name} did not come"
        time.sleep(0.05)
    return int(path.read_text())


def _ends(pid: int) -> bool:
    """Whether a process is gone, or a zombie that nobody waits for, within 5 s."""
    for _ in range(100):
        stat = Path("/proc", str(pid), "stat")
        if not stat.exists() or stat.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("name", ["cut.mp4", "cut_killed.mp4"])
def test_a_csv_that_breaks_off_in_its_last_line_fails_alone(tmp_path: Path, name: str) -> None:
    results = extract(tmp_path, "a.mp4", name, "b.mp4")
    cut = results.pop(name.removesuffix(".mp4"))
    assert statuses(results) == {"a": "ok", "b": "ok"}
    assert cut.status == "failed"
    assert ("1 of 20 rows are damaged" if name == "cut.mp4" else "signal 9") in cut.reason


def test_a_crash_at_a_video_that_does_not_decode_costs_only_that(tmp_path: Path) -> None:
    path = video(tmp_path, "dies.avi")
    with av.open(str(path)) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.pos is not None]
    content = bytearray(path.read_bytes())
    for position, size in packets:
        content[position + 8 : position + 8 + size] = bytes(size)
    path.write_bytes(content)
    results = extract(tmp_path, "dies.avi", "b.mp4")
    assert statuses(results) == {"dies": "failed", "b": "ok"}
    assert "exit code 5" in results["dies"].reason


def test_too_few_rows_are_a_part(tmp_path: Path) -> None:
    (result,) = extract(tmp_path, "half.mp4").values()
    assert result.status == "partial"
    assert "10 rows for 20 frames" in result.reason
    assert result.table is not None
    assert result.table.height == 10


def test_too_many_rows_are_not_of_this_video(tmp_path: Path) -> None:
    video(tmp_path, "short.mp4", n_frames=12)
    (result,) = extract(tmp_path, "short.mp4").values()
    assert result.status == "failed"
    assert "20 rows for 12 frames" in result.reason


def test_a_truncated_video_is_a_part(tmp_path: Path) -> None:
    path = video(tmp_path, "a.avi", n_frames=30)
    with av.open(str(path)) as container:
        packets = list(container.demux(video=0))
    position = packets[stand_in.N_ROWS].pos
    assert position is not None
    path.write_bytes(path.read_bytes()[:position])
    (result,) = extract(tmp_path, "a.avi").values()
    assert result.status == "partial"
    assert "20 of 30 announced frames decode" in result.reason


def test_a_video_that_cannot_be_read_is_not_even_tried(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    results = extract(tmp_path, "a.mp4", "empty.mp4")
    assert statuses(results) == {"empty": "failed", "a": "ok"}
    assert "empty.mp4: cannot be read as video" in results["empty"].reason


def test_too_few_faces_fail_with_the_numbers(tmp_path: Path) -> None:
    strict = PARAMS.model_copy(update={"min_success": 0.95})
    (result,) = extract(tmp_path, "a.mp4", openface=strict).values()
    assert (result.status, result.frames, result.faces) == ("failed", 20, 18)
    assert "a face in 18 of 20 frames, below openface.min_success = 95%" in result.reason


def test_a_rate_that_the_program_does_not_know_is_refused_with_the_params() -> None:
    with pytest.raises(ValidationError, match=r"FeatureExtraction.*set openface\.fps: null"):
        OpenFace(**PARAMS.model_dump() | {"command": "FeatureExtraction", "fps": 18.0})


def test_only_the_frames_at_a_rate_are_expected(tmp_path: Path) -> None:
    slower = PARAMS.model_copy(update={"fps": 12.5})
    (result,) = extract(tmp_path, "a.mp4", openface=slower).values()
    assert result.status == "failed"
    assert "20 rows for 10 frames at openface.fps = 12.5" in result.reason


def test_as_many_rows_of_other_frames_are_a_part(tmp_path: Path) -> None:
    video(tmp_path, "a.mp4", n_frames=2 * stand_in.N_ROWS)  # of which it reads the first half
    slower = PARAMS.model_copy(update={"fps": stand_in.RATE / 2})
    (result,) = extract(tmp_path, "a.mp4", openface=slower).values()
    assert (result.status, result.frames) == ("partial", 20)
    assert "no row near 9 of 20 frames at openface.fps = 12.5" in result.reason


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    missing = PARAMS.model_copy(update={"command": "FeatureExtraction_nowhere -x"})
    with pytest.raises(ExtractorMissing, match=r"openface\.command = 'FeatureExtraction_nowhere"):
        extract(tmp_path, "a.mp4", openface=missing)


def test_a_program_that_does_not_start_is_no_recordings_fault(tmp_path: Path) -> None:
    broken = PARAMS.model_copy(update={"options": "-no_models"})
    with pytest.raises(
        ExtractorError,
        match=r"exit code 1:\n.*Could not find CEN patch experts.*Could not load the landmark "
        r"detector\n.*download_models\.sh \(Linux, macOS\) or download_models\.ps1 \(Windows\)",
    ):
        extract(tmp_path, "a.mp4", openface=broken)


def test_a_stage_checks_the_program_before_it_computes(tmp_path: Path) -> None:
    missing = PARAMS.model_copy(update={"command": "FeatureExtraction_nowhere"})
    here = Execution(backend="loky", jobs=1, experiment="test")
    todo = [{"recording_id": name, "video": f"{name}.mp4"} for name in ("a", "b")]
    assert batches(todo, root=tmp_path, openface=PARAMS, execution=here) == [todo]
    assert batches([], root=tmp_path, openface=missing, execution=here) == []
    with pytest.raises(ExtractorMissing):
        batches(todo, root=tmp_path, openface=missing, execution=here)
