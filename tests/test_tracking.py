"""MLflow: parent, child, fold; and what happens when the server does not answer."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
import yaml

from pipeline_lib import paths, tables, tracking
from pipeline_lib.params import load_params

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")

ROOT = Path.cwd()
ONE_STAGE = """
import sys, time
from pipeline_lib import tracking
with tracking.stage_run("filter", "deap", experiment="test", params={}) as run:
    run.metrics({"x": 1.0})
    print("working", flush=True)
    time.sleep(float(sys.argv[1]))
sys.exit(run.process.wait())
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".cache").mkdir()
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("DVC_EXP_NAME", "tall-oxen")
    return tmp_path


def runs() -> dict[str, Any]:
    """What MLflow itself has, by name."""
    import mlflow

    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{Path.cwd()}/mlflow.db")
    found = client.get_experiment_by_name("test")
    assert found is not None
    return {run.info.run_name: run for run in client.search_runs([found.experiment_id])}


def test_a_stage_hangs_below_its_execution_and_a_fold_below_its_stage(here: Path) -> None:
    physio = load_params(ROOT / "params.yaml").physio
    with tracking.stage_run("train", "deap-mvp", experiment="test", params={"p": physio}) as run:
        run.table(pl.DataFrame({"status": ["ok"]}), "ledger.csv")
        with run.fold(3) as fold:
            fold.metrics({"train_loss": 0.5}, step=7)
            fold.model(torch.nn.Linear(3, 2), {"input": torch.zeros(2, 3)})
    assert run.process.wait() == 0
    stage, child = runs()["train@deap-mvp"], runs()["fold-3"]
    assert stage.data.tags["mlflow.parentRunId"] == runs()["tall-oxen"].info.run_id
    assert child.data.tags["mlflow.parentRunId"] == stage.info.run_id
    assert (stage.data.tags["system"], stage.info.status) == ("mvp", "FINISHED")
    assert (child.data.metrics, child.info.status) == ({"train_loss": 0.5}, "FINISHED")
    assert stage.data.params["p.EDA.high"] == "3.0"
    (model,) = here.glob("mlartifacts/models/*/artifacts/MLmodel")
    assert "signature" in model.read_text()
    assert list(here.glob(".cache/*.pt")) == []


def test_runs_on_flawed_folds_are_tagged(here: Path) -> None:
    deps = {
        "train": ["data/audit/${item.dataset}.json"],
        "pretrain": ["data/audit/corpus-${key}.json"],
        "ingest": ["data/raw"],
    }
    stages = {stage: {"deps": of_stage} for stage, of_stage in deps.items()}
    (here / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    rules = {"deap": {"flaws": ["trial_level"]}, "amigos": {"flaws": []}}
    for verdict in ("deap", "corpus-both"):
        tables.write_json({"rules": rules}, paths.verdict(verdict))
    for stage, name in (("ingest", "deap"), ("train", "deap"), ("pretrain", "both")):
        with tracking.stage_run(stage, name, experiment="test", params={}) as run:
            pass
        assert run.process.wait() == 0
    tags = {name: run.data.tags.get("flaws") for name, run in runs().items() if "@" in name}
    assert tags == {
        "ingest@deap": None,
        "train@deap": "trial_level",
        "pretrain@both": "trial_level",
    }


def test_results_stand_in_the_run_of_the_execution_too(here: Path) -> None:
    with tracking.stage_run("evaluate", "deap", experiment="test", params={}) as run:
        run.results({"deap.mvp.valence.weighted_f1_mean": 0.7})
    assert run.process.wait() == 0
    for name in ("evaluate@deap", "tall-oxen"):
        assert runs()[name].data.metrics == {"deap.mvp.valence.weighted_f1_mean": 0.7}


def test_a_failing_stage_is_marked_and_raises(here: Path) -> None:
    stage = tracking.stage_run("filter", "deap", experiment="test", params={})
    with pytest.raises(ZeroDivisionError), stage as run:
        raise ZeroDivisionError
    assert run.process.wait() == 0
    assert runs()["filter@deap"].info.status == "FAILED"


def test_a_killed_stage_is_marked(here: Path) -> None:
    command = [sys.executable, "-c", ONE_STAGE, "60"]
    stage = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert stage.stdout is not None
    assert stage.stdout.readline() == "working\n"
    stage.send_signal(signal.SIGKILL)
    stage.communicate()  # the sender holds the same pipe: this waits for it too
    assert runs()["filter@deap"].info.status == "KILLED"


def test_an_unreachable_server_is_an_error_before_any_work(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with (
        pytest.raises(tracking.TrackingError, match=r"http://127\.0\.0\.1:9 cannot be used"),
        tracking.stage_run("filter", "deap", experiment="test", params={}),
    ):
        pytest.fail("the work began")


def test_a_sender_that_dies_costs_a_warning_and_no_result(here: Path) -> None:
    def stage() -> str:
        with tracking.stage_run("filter", "deap", experiment="test", params={}) as run:
            run.process.kill()
            run.process.wait()
            run.metrics({"x": 1.0})
            return "result"

    with pytest.warns(UserWarning, match="tracking has stopped; results are not touched"):
        result = stage()
    assert result == "result"


def test_two_first_users_at_once_share_one_new_database(here: Path) -> None:
    command = [sys.executable, "-c", ONE_STAGE, "0"]
    started = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait() for process in started] == [0, 0]
    assert len(runs()) == 2  # by name: the execution and the stage


def test_nothing_phones_home() -> None:
    """Asked of the libraries themselves, after our own imports."""
    script = (
        "import pipeline_lib.mlflow_sender, models.videomae\n"
        "from mlflow.telemetry.utils import is_telemetry_disabled\n"
        "from huggingface_hub import constants\n"
        "assert is_telemetry_disabled() and constants.HF_HUB_DISABLE_TELEMETRY"
    )
    env = {k: v for k, v in os.environ.items() if "TELEMETRY" not in k and k != "DO_NOT_TRACK"}
    subprocess.run([sys.executable, "-c", script], env=env, check=True)
    assert "analytics = false" in Path(".dvc/config").read_text()
