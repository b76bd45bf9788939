"""MLflow: parent, child, fold; and what happens when the server does not answer."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import polars as pl
import pytest

from pipeline_lib import tracking
from pipeline_lib.params import load_params

ROOT = Path.cwd()
ONE_STAGE = """
from pipeline_lib import tracking
with tracking.stage_run("filter", "deap", experiment="test", params={}) as run:
    run.metrics({"x": 1.0})
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("DVC_EXP_NAME", "tall-oxen")
    yield tmp_path
    mlflow.set_tracking_uri(None)


def runs() -> dict[str, Any]:
    client = mlflow.MlflowClient()
    found = client.get_experiment_by_name("test")
    assert found is not None
    return {run.info.run_name: run for run in client.search_runs([found.experiment_id])}


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")
def test_a_stage_hangs_below_its_execution_and_a_fold_below_its_stage(here: Path) -> None:
    physio = load_params(ROOT / "params.yaml").physio
    with tracking.stage_run("train", "deap-mvp", experiment="test", params={"p": physio}) as run:
        run.table(pl.DataFrame({"status": ["ok"]}), "ledger.csv")
        with run.fold(3) as fold:
            fold.metrics({"train_loss": 0.5}, step=7)
    stage, child = runs()["train@deap-mvp"], runs()["fold-3"]
    assert stage.data.tags["mlflow.parentRunId"] == runs()["tall-oxen"].info.run_id
    assert child.data.tags["mlflow.parentRunId"] == stage.info.run_id
    assert (stage.data.tags["system"], stage.info.status) == ("mvp", "FINISHED")
    assert stage.data.params["p.EDA.high"] == "3.0"
    assert child.data.metrics == {"train_loss": 0.5}


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")
def test_a_failing_stage_is_marked_and_raises(here: Path) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        tracking.stage_run("filter", "deap", experiment="test", params={}),
    ):
        raise ZeroDivisionError
    assert runs()["filter@deap"].info.status == "FAILED"


def test_an_unreachable_server_is_an_error_before_any_work(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with (
        pytest.raises(tracking.TrackingError, match=r"http://127\.0\.0\.1:9 cannot be used"),
        tracking.stage_run("filter", "deap", experiment="test", params={}),
    ):
        pytest.fail("the work began")


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")
def test_a_server_that_dies_costs_a_warning_and_no_result(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dead(*args: object, **kwargs: object) -> None:
        raise mlflow.MlflowException("gone")

    def stage() -> str:
        with tracking.stage_run("filter", "deap", experiment="test", params={}) as run:
            monkeypatch.setattr(run.client, "log_batch", dead)
            run.metrics({"x": 1.0})
            run.metrics({"x": 2.0})
            return "result"

    with pytest.warns(UserWarning, match="tracking stopped, results are not touched: gone"):
        result = stage()
    assert result == "result"


def test_two_first_users_at_once_share_one_new_database(here: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    started = [subprocess.Popen([sys.executable, "-c", ONE_STAGE], env=env) for _ in range(2)]
    assert [process.wait() for process in started] == [0, 0]
    assert len(runs()) == 2  # by name: the execution and the stage


def test_nothing_phones_home() -> None:
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert "analytics = false" in Path(".dvc/config").read_text()
