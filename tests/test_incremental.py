"""Nothing is computed twice, lost or hidden, not even when the process is killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline_lib import incremental
from pipeline_lib.params import Execution
from tests import counting

SCHEMA = {"recording_id": pl.String, "value": pl.Float64}
ROOT = Path.cwd()


def recordings(*contents: float) -> list[dict[str, Any]]:
    return [
        {"recording_id": f"s{i % 2}_{i}", "subject": f"s{i % 2}", "content": c, "status": "ok"}
        for i, c in enumerate(contents)
    ]


def run(rows: list[dict[str, Any]], calls: Path, *, factor: float = 1.0, **params: Any) -> Any:
    return incremental.run(
        rows,
        incremental.one_by_one(counting.square, calls=calls, factor=factor, **params),
        stage="square",
        inputs=lambda recording: recording["content"],
        skip=lambda recording: "excluded by hand" if recording["content"] == 13 else "",
        execution=Execution(backend="loky", jobs=1, experiment="test"),
    )


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("pipeline_lib.core.paths.CACHE", tmp_path / "cache")
    folder = tmp_path / "calls"
    folder.mkdir()
    return folder


def n_calls(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


def test_a_second_run_computes_nothing(calls: Path) -> None:
    first = run(recordings(1, 2, 3), calls)
    second = run(recordings(1, 2, 3), calls)
    assert n_calls(calls) == 3
    assert second.ledger.equals(first.ledger)
    assert second.rows(second.ledger["key"][2])["value"].to_list() == [9.0]


@pytest.mark.parametrize(
    ("contents", "factor", "n_new"),
    [((1, 2, 3, 4), 1.0, 1), ((1, 5, 3), 1.0, 1), ((1, 2, 3), 2.0, 3)],
)
def test_only_what_changed_is_computed(
    calls: Path, contents: tuple[float, ...], factor: float, n_new: int
) -> None:
    run(recordings(1, 2, 3), calls)
    run(recordings(*contents), calls, factor=factor)
    assert n_calls(calls) == 3 + n_new


def test_every_recording_has_a_ledger_row_with_its_reason(calls: Path) -> None:
    ledger = run(recordings(1, -2, 13), calls).ledger
    assert ledger["status"].to_list() == ["ok", "failed", "excluded"]
    assert ledger["reason"].to_list() == ["", "s1_1 is -2, below 0", "excluded by hand"]


def test_a_failure_is_tried_again(calls: Path) -> None:
    run(recordings(1, -2), calls)
    run(recordings(1, -2), calls)
    assert n_calls(calls) == 3


@pytest.mark.parametrize("left", [0, 10, 200])
def test_a_truncated_file_of_the_cache_is_computed_again(calls: Path, left: int) -> None:
    first = run(recordings(1, 2), calls)
    path = first.cache / f"{first.ledger['key'][1]}.parquet"
    path.write_bytes(path.read_bytes()[:left])
    second = run(recordings(1, 2), calls)
    assert n_calls(calls) == 3
    assert second.rows(second.ledger["key"][1])["value"].to_list() == [4.0]


def test_a_bug_at_one_recording_costs_no_other_but_fails_the_stage(calls: Path) -> None:
    with pytest.raises(incremental.StageError, match=r"(?s)1 recordings.*s1_1.*a bug"):
        run(recordings(1, 101, 3), calls)
    run(recordings(1, 2, 3), calls)
    assert n_calls(calls) == 4


def test_too_many_failures_fail_the_stage_with_all_reasons(calls: Path) -> None:
    ledger = run(recordings(1, -2, 13), calls).ledger
    incremental.check_failures(ledger, stage="square", max_failed=0.5)
    with pytest.raises(incremental.StageError, match=r"1 of 2(.*\n)*.*s1_1 is -2, below 0"):
        incremental.check_failures(ledger, stage="square", max_failed=0.4)


KILLED = """
import sys
from pathlib import Path
from tests import test_incremental as t
from pipeline_lib import incremental
from pipeline_lib.core import paths
folder = Path(sys.argv[1])
paths.CACHE = folder / "cache"
done = t.run(t.recordings(*range(1, 9)), folder / "calls", wait=float(sys.argv[2]))
incremental.write(done, folder / "out", schema=t.SCHEMA)
"""


def start(folder: Path, wait: float) -> subprocess.Popen[bytes]:
    (folder / "calls").mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-c", KILLED, str(folder), str(wait)]
    return subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": str(ROOT)}, start_new_session=True
    )


def test_kill_in_the_middle_loses_only_what_was_in_flight(tmp_path: Path) -> None:
    killed, undisturbed = tmp_path / "killed", tmp_path / "undisturbed"
    process = start(killed, wait=0.3)
    while len(list(killed.glob("cache/square/*.parquet"))) < 3:
        time.sleep(0.02)
        assert process.poll() is None
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    n_kept = len(list(killed.glob("cache/square/*.parquet")))
    n_started = n_calls(killed / "calls")
    assert 3 <= n_kept <= n_started < 8
    assert start(killed, wait=0.3).wait() == 0
    assert n_calls(killed / "calls") == n_started + 8 - n_kept
    assert start(undisturbed, wait=0.3).wait() == 0
    files = sorted(path.name for path in (undisturbed / "out").iterdir())
    assert files == ["_ledger.parquet", "s0.parquet", "s1.parquet"]
    for name in files:
        assert (killed / "out" / name).read_bytes() == (undisturbed / "out" / name).read_bytes()
