"""MLflow: parent, child, fold; one sender for all stages; and what happens when nobody answers."""

import fcntl
import http.server
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
import yaml
from rich.console import Console

from pipeline_lib import mlflow_sender
from pipeline_lib.console import send_all
from pipeline_lib.core import paths, spool, tables, tracking
from pipeline_lib.core.schema import SOURCES
from pipeline_lib.params import load_params

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")

ROOT = Path.cwd()
NOTHING_SEEN = {"clips": {}, "synthetic": []}  # of a verdict
LIMIT = 120.0  # s, on a busy machine
ONE_STAGE = """
import sys, time
from pipeline_lib.core import tracking
with tracking.stage_run(sys.argv[1], "deap", experiment="test", params={}) as run:
    run.metrics({"x": 1.0})
    print("working", flush=True)
    time.sleep(float(sys.argv[2]))
"""

stage_run = partial(tracking.stage_run, experiment="test", params={})


def prepare(folder: Path, patch: pytest.MonkeyPatch) -> None:
    patch.chdir(folder)
    patch.setenv("PYTHONPATH", str(ROOT))
    patch.delenv("MLFLOW_TRACKING_URI", raising=False)
    patch.setenv("DVC_EXP_NAME", "tall-oxen")


def until(condition: Callable[[], Any]) -> None:
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def senders() -> list[int]:
    """Process ids of the senders at work here."""
    locks = spool.FOLDER.glob(f"*/{spool.LOCK}")
    return [int(lock.read_text() or 0) for lock in locks if not spool.is_free(lock)]


def stop_senders() -> None:
    for pid in filter(None, senders()):
        os.kill(pid, signal.SIGKILL)
    until(lambda: not senders())


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project, its database and its sender, after its first two stages came at once."""
    folder = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        prepare(folder, patch)
        started = [start("twin", 0) for _ in range(2)]
        for process in started:
            process.communicate()
        assert [process.returncode for process in started] == [0, 0]
    yield folder
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        stop_senders()


@pytest.fixture
def here(shared: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    prepare(shared, monkeypatch)
    return shared


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    prepare(tmp_path, monkeypatch)
    yield tmp_path
    stop_senders()


def runs() -> dict[str, Any]:
    """What MLflow itself has once all is sent, by name."""
    import mlflow

    assert (spool.wait(LIMIT), spool.untold()) == ([], [])
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{Path.cwd()}/mlflow.db")
    found = client.get_experiment_by_name("test")
    assert found is not None
    return {run.info.run_name: run for run in client.search_runs([found.experiment_id])}


def start(stage: str, seconds: float) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", ONE_STAGE, stage, str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def kill(process: "subprocess.Popen[str]") -> None:
    """Kill a stage in the middle of its work."""
    assert process.stdout is not None
    assert process.stdout.readline() == "working\n"
    process.kill()
    process.communicate()


def test_a_stage_hangs_below_its_execution_and_a_fold_below_its_stage(here: Path) -> None:
    physio = load_params(ROOT / "params.yaml").physio
    with tracking.stage_run("train", "deap-mvp", experiment="test", params={"p": physio}) as run:
        run.table(pl.DataFrame({"status": ["ok"]}), "ledger.csv")
        with run.fold(3) as fold:
            fold.metrics({"train_loss": 0.5}, step=7)
    found = runs()
    stage, child = found["train@deap-mvp"], found["fold-3"]
    assert stage.data.tags["mlflow.parentRunId"] == found["tall-oxen"].info.run_id
    assert child.data.tags["mlflow.parentRunId"] == stage.info.run_id
    assert (stage.data.tags["system"], stage.info.status) == ("mvp", "FINISHED")
    assert (child.data.metrics, child.info.status) == ({"train_loss": 0.5}, "FINISHED")
    assert stage.data.params["p.EDA.high"] == "3.0"
    (ledger,) = here.glob(f"mlartifacts/{stage.info.run_id}/artifacts/ledger.csv")
    assert ledger.read_text() == "status\nok\n"


def test_two_first_users_at_once_share_one_new_database_and_one_sender(here: Path) -> None:
    assert {"twin@deap", "tall-oxen"} <= runs().keys()
    log = next(spool.FOLDER.glob("*/sender.log")).read_text()
    assert log.count("Creating initial MLflow database tables") <= 1
    assert len(senders()) == 1


def test_models_of_all_folds_have_a_signature_and_their_own_weights(here: Path) -> None:
    import mlflow

    # The second shares the graph of the first; the third looks as if it did.
    models = [scaled(3, 0.1), scaled(3, 0.1), scaled(3, 0.5), scaled(4, 0.5)]
    inputs = [torch.rand(2, model[0].in_features) for model in models]
    with stage_run("finetune", "deap") as run:
        for number, (model, batch) in enumerate(zip(models, inputs, strict=True), 10):
            with run.fold(number) as fold:
                fold.model(model, {"input": batch})
    found = runs()
    for number, (model, batch) in enumerate(zip(models, inputs, strict=True), 10):
        (logged,) = found[f"fold-{number}"].outputs.model_outputs
        where = here / "mlartifacts/models" / logged.model_id / "artifacts"
        signature = mlflow.models.Model.load(where).signature
        assert signature.inputs.inputs[0].shape == (-1, batch.shape[1])
        rows = torch.rand(5, batch.shape[1])
        torch.testing.assert_close(mlflow.pytorch.load_model(str(where))(rows), model(rows))
        (shown,), _ = torch.export.load(where / "data/model.pt2").example_inputs
        assert shown.shape == batch.shape
        assert not torch.isin(shown, batch).any()  # noise: what people have shown goes nowhere


def scaled(n_in: int, slope: float) -> torch.nn.Sequential:
    """A model of negative numbers, in whose graph the slope is a constant."""
    model = torch.nn.Sequential(torch.nn.Linear(n_in, 2), torch.nn.LeakyReLU(slope))
    torch.nn.init.constant_(model[0].bias, -2.0)
    return model


def test_runs_on_flawed_folds_are_tagged(here: Path) -> None:
    deps = {
        "finetune": ["data/audit/${key}.json"],
        "ingest": ["data/raw"],
        "pretrain": ["data/audit/corpus-${key}.json"],
        "store": ["data/audit/${item.dataset}.json"],
    }
    stages = {stage: {"deps": of_stage} for stage, of_stage in deps.items()}
    (here / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    rules = {"deap": {"flaws": ["trial_level"]}, "amigos": {"flaws": []}}
    for verdict in ("deap", "corpus-both"):
        tables.write_json({"rules": rules, **NOTHING_SEEN}, paths.verdict(verdict))
    leaky = {"deap": {"flaws": ["leaky_pretraining"]}}
    tables.write_json({"rules": leaky, **NOTHING_SEEN}, paths.verdict("deap-videomae"))
    names = {"ingest": "deap", "pretrain": "both", "store": "deap", "finetune": "deap-videomae"}
    for stage, name in names.items():
        with stage_run(stage, name):
            pass
    found = runs()
    flaws = [found[f"{stage}@{name}"].data.tags.get("flaws") for stage, name in names.items()]
    assert flaws == [None, "trial_level", "trial_level", "leaky_pretraining"]


def test_results_stand_in_the_run_of_the_execution_too(here: Path) -> None:
    with stage_run("evaluate", "deap") as run:
        run.results({"deap.mvp.valence.weighted_f1_mean": 0.7})
    for name in ("evaluate@deap", "tall-oxen"):
        assert runs()[name].data.metrics == {"deap.mvp.valence.weighted_f1_mean": 0.7}


def test_a_failing_stage_is_marked_and_raises(here: Path) -> None:
    with pytest.raises(ZeroDivisionError), stage_run("filter", "deap"):
        raise ZeroDivisionError
    assert runs()["filter@deap"].info.status == "FAILED"


def test_a_killed_stage_is_marked(here: Path) -> None:
    kill(start("crop", 60))
    assert runs()["crop@deap"].info.status == "KILLED"


def test_stages_side_by_side_share_one_sender_and_need_not_wait_for_each_other(here: Path) -> None:
    (before,) = senders()
    with stage_run("openface", "deap") as slow:
        slow.metrics({"x": 1.0})
        for name in ("amigos", "sample"):
            with stage_run("openface", name) as run:
                run.metrics({"x": 2.0})
        until(lambda: len(spool.waiting()) == 1)
    found = runs()
    named = [found[f"openface@{name}"] for name in ("deap", "amigos", "sample")]
    assert [run.data.metrics["x"] for run in named] == [1.0, 2.0, 2.0]
    assert named[0].info.end_time > max(run.info.end_time for run in named[1:])
    assert senders() == [before]


def test_what_the_server_refuses_is_kept_and_told(here: Path) -> None:
    with stage_run("sync", "deap") as run:
        run._send("text", text="", name="../outside")
    with stage_run("sync", "amigos"):
        pass
    until(lambda: list(spool.FOLDER.glob("*/*.refused")))
    (text,) = spool.untold()
    assert runs()["sync@amigos"].info.status == "FINISHED"
    (kept,) = spool.FOLDER.glob("*/*-sync@deap.refused")
    assert "outside" in (kept / spool.MESSAGES).read_text()
    assert f"kept in {kept}" in text
    assert spool.untold() == []


def test_the_console_waits_for_what_is_not_sent(here: Path) -> None:
    with stage_run("account", "deap"):
        pass
    console = Console(record=True, width=200)
    send_all(console)
    assert spool.waiting() == []
    assert "wait in" not in console.export_text()


def test_what_outlived_its_sender_or_its_stage_is_sent_once_by_the_next(
    fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(spool, "send", lambda server: None)
        with stage_run("crop", "deap"):
            pass
    (dead,) = spool.waiting()
    said = (dead / spool.MESSAGES).read_bytes()
    (dead / spool.MESSAGES).write_bytes(said[:-9])  # killed in the middle of its last line
    with stage_run("filter", "deap") as run:
        run.metrics({"before": 1.0})
        until(lambda: not dead.exists() and b"before" in sent(spool.waiting()[0]))
        stop_senders()
        run.metrics({"after": 2.0})
    found = runs()
    assert found["crop@deap"].info.status == "KILLED"
    assert found["filter@deap"].info.status == "FINISHED"
    assert found["filter@deap"].data.metrics == {"before": 1.0, "after": 2.0}
    assert sorted(found) == ["crop@deap", "filter@deap", "tall-oxen"]


def sent(stage: Path) -> bytes:
    """What a sender has noted as sent."""
    state = stage / "sent.json"
    offset = json.loads(state.read_text())["offset"] if state.exists() else 0
    return (stage / spool.MESSAGES).read_bytes()[:offset]


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[spool.Spool]:
    """A live stage in a project where no process may be started."""
    prepare(tmp_path, monkeypatch)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("a process was started"))
    said = spool.Spool.open("uri", "filter@deap", {"op": "start"})
    yield said
    said.close()


def test_a_stage_that_comes_while_the_sender_goes_is_served(stage: spool.Spool) -> None:
    folder, served = stage.folder.parent, []

    def serve(folder: Path, ours: Callable[[], bool]) -> bool:
        served.append([path.stem.split("-")[1] for path in spool.waiting(folder.name)])
        shutil.rmtree(spool.waiting()[0])
        if len(served) == 1:  # nothing is there, and the lock not yet given back
            late = spool.Spool.open("uri", "late@deap", {"op": "start"})
            spool.send(late.folder.parent)
            late.close()
        return ours()

    mlflow_sender.serve_alone(folder, serve)
    assert served == [["filter@deap"], ["late@deap"]]


def test_a_second_sender_goes_at_once(stage: spool.Spool) -> None:
    folder = stage.folder.parent
    with spool.lock(folder) as held:
        assert spool.take(held)
        mlflow_sender.serve_alone(folder, lambda *_: pytest.fail("two senders serve"))


def test_a_sender_that_cannot_send_does_not_try_for_ever(stage: spool.Spool) -> None:
    tries: list[Path] = []
    mlflow_sender.serve_alone(stage.folder.parent, lambda folder, _: bool(tries.append(folder)))
    assert len(tries) == 1


def test_a_sender_goes_when_its_folder_was_cleaned_away(stage: spool.Spool) -> None:
    def serve(folder: Path, ours: Callable[[], bool]) -> bool:
        assert ours()
        shutil.rmtree(spool.FOLDER)
        return ours()

    mlflow_sender.serve_alone(stage.folder.parent, serve)
    assert not spool.FOLDER.exists()


def test_a_server_that_dies_costs_a_warning_and_no_result(
    fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    healthy = http.server.HTTPServer(("127.0.0.1", 0), Healthy)
    threading.Thread(target=healthy.serve_forever).start()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{healthy.server_port}")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")

    def work() -> str:
        with stage_run("filter", "deap") as run:
            healthy.shutdown()
            healthy.server_close()
            run.metrics({"x": 1.0})
            until(lambda: list(spool.FOLDER.glob(f"*/*/{spool.TROUBLE}")))
            monkeypatch.setattr(spool, "send", lambda server: None)
        return "result"

    with pytest.warns(UserWarning, match=r"filter@deap \(no result is touched\).*tries again"):
        result = work()
    assert result == "result"
    (kept,) = spool.waiting()
    assert b'"x"' in (kept / spool.MESSAGES).read_bytes()


class Healthy(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


def test_an_unreachable_server_is_an_error_before_any_work(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with (
        pytest.raises(tracking.TrackingError, match=r"http://127\.0\.0\.1:9 cannot be used"),
        stage_run("filter", "deap"),
    ):
        pytest.fail("the work began")


def test_nothing_phones_home() -> None:
    """Asked of the libraries themselves, after our own imports."""
    script = (
        "import pipeline_lib.mlflow_runs, models.videomae\n"
        "from mlflow.telemetry.utils import is_telemetry_disabled\n"
        "from huggingface_hub import constants\n"
        "assert is_telemetry_disabled() and constants.HF_HUB_DISABLE_TELEMETRY"
    )
    env = {k: v for k, v in os.environ.items() if "TELEMETRY" not in k and k != "DO_NOT_TRACK"}
    subprocess.run([sys.executable, "-c", script], env=env, check=True)
    assert "analytics = false" in Path(".dvc/config").read_text()


def test_waits_until_another_dvc_has_written_its_lock(here: Path) -> None:
    """DVC writes dvc.lock in place: half of it is there while it holds its own lock."""
    Path("dvc.yaml").write_text("stages: {train: {foreach: [deap], do: {deps: ['data/${item}']}}}")
    written = "stages:\n  split@deap:\n    outs:\n    - path: data/deap\n      md5: abc\n"
    Path(".dvc/tmp").mkdir(parents=True)
    with Path(".dvc/tmp/lock").open("w") as lock, ThreadPoolExecutor(1) as other:
        fcntl.flock(lock, fcntl.LOCK_EX)
        Path("dvc.lock").write_text(written[:20])
        tags = other.submit(tracking.tags, "train", "deap")
        time.sleep(0.2)
        assert not tags.done()
        Path("dvc.lock").write_text(written)
        fcntl.flock(lock, fcntl.LOCK_UN)
        assert tags.result(timeout=LIMIT)["dep.data/deap"] == "abc"


def test_hashes_are_of_whatever_the_stages_params_name(here: Path) -> None:
    """Only the lock knows what `${item.start}` stands for."""
    Path("dvc.lock").write_text(
        "stages:\n"
        "  supervise@kad:\n    cmd: x kad\n    outs:\n"
        "    - path: runs/supervise-kad\n      md5: abc\n    - path: data/kad\n      md5: f\n"
        "  finetune@deap-kad:\n    cmd: x deap-kad\n    deps:\n"
        "    - path: runs/supervise-kad\n      md5: old\n    - path: models/x.py\n      md5: d\n"
        "    - path: data/kad/ledger\n      md5: e\n"
    )
    tags = tracking.tags("finetune", "deap-kad")
    assert {name: tag for name, tag in tags.items() if name.startswith("dep.")} == {
        "dep.runs/supervise-kad": "abc",
        "dep.data/kad": "f",
    }


def test_a_run_is_of_a_twin_if_its_corpus_or_its_pre_training_is(here: Path) -> None:
    for dataset, synthetic in (("deap", False), ("kinetics", True)):
        row = dict.fromkeys(SOURCES) | {"recording_id": "1", "synthetic": synthetic}
        tables.write_table(pl.DataFrame([row], schema=dict(SOURCES)), paths.sources(dataset))
    seen = {"rules": {}, "clips": {"kinetics": "a"}, "synthetic": []}
    tables.write_json(seen, paths.verdict("corpus-k400"))
    seen = {"rules": {}, "clips": {}, "synthetic": ["kinetics"]}
    tables.write_json(seen, paths.verdict("deap-videomae"))
    names = ("deap", "deap-mvp", "k400", "deap-videomae", "nowhere")
    found = {name: tracking.tags("train", name).get("data") for name in names}
    assert found == {
        "deap": "real", "deap-mvp": "real", "k400": "twin", "deap-videomae": "twin", "nowhere": None
    }  # fmt: skip
