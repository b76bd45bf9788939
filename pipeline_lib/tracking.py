"""The only import of MLflow: a parent run per pipeline execution, a child a stage, one a fold.

A server that cannot be reached is an error before any work; one that dies later costs warnings,
not results. Nothing is sent anywhere but to the server of MLFLOW_TRACKING_URI.
"""

import contextlib
import logging
import os
import re
import subprocess
import urllib.request
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from pipeline_lib import paths

if TYPE_CHECKING:
    import torch

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

DEFAULT_URI = "sqlite:///mlflow.db"


class TrackingError(RuntimeError):
    """The tracking server cannot be reached before work starts."""


@dataclass(frozen=True)
class _Handle:
    """A run of the server's."""

    client: Any
    run_id: str
    experiment_id: str


class Run:
    """A run of the tracking server. Its calls return at once: a thread beside the work logs.

    A call that fails warns and ends the logging of this run.
    """

    def __init__(self, thread: ThreadPoolExecutor, start: Callable[[], _Handle]) -> None:
        self._thread = thread
        self._handle: _Handle | None = None
        self._calls: list[Future[None]] = []
        self._begin(start)

    def params(self, params: Mapping[str, Any]) -> None:
        self._submit(lambda h: h.client.log_batch(h.run_id, params=_params(params)))

    def metrics(self, metrics: Mapping[str, float], *, step: int = 0) -> None:
        """Log finite numbers."""
        self._submit(lambda h: h.client.log_batch(h.run_id, metrics=_metrics(metrics, step)))

    def table(self, table: pl.DataFrame, name: str) -> None:
        """Log a table as the CSV artifact `name`."""
        self._submit(lambda h: h.client.log_text(h.run_id, table.write_csv(), name))

    def ledger(self, ledger: pl.DataFrame, seconds: Mapping[str, float]) -> None:
        """Log a stage's ledger with the seconds that each recording took now, and its counts."""
        spent = pl.Series("seconds", [seconds.get(name) for name in ledger["recording_id"]])
        self.table(ledger.with_columns(spent.cast(pl.Float64)), "ledger.csv")
        counts = ledger["status"].value_counts().rows()
        self.metrics({"computed": len(seconds), **{str(k): float(n) for k, n in counts}})

    def file(self, path: Path) -> None:
        self._submit(lambda h: h.client.log_artifact(h.run_id, str(path)))

    def model(self, model: "torch.nn.Module", example: Mapping[str, "torch.Tensor"]) -> None:
        """Log a model as a traced graph with its signature; `example` is a batch of inputs."""
        self._submit(lambda h: _log_model(h.run_id, model, example))

    @contextlib.contextmanager
    def fold(self, fold: int) -> Iterator["Run"]:
        """A child run for one fold."""
        child = Run(self._thread, lambda: _create(self._known(), f"fold-{fold}"))
        yield child
        child.finish("FINISHED")

    def finish(self, status: str) -> None:
        self._submit(lambda h: h.client.set_terminated(h.run_id, status))

    def wait(self) -> None:
        """Wait for the thread; raises what only a bug can raise in it."""
        for call in self._calls:
            call.result()

    def _known(self) -> _Handle:
        if self._handle is None:
            raise TrackingError("the run above was not made")
        return self._handle

    def _begin(self, start: Callable[[], _Handle]) -> None:
        def call() -> None:
            self._handle = start()

        self._calls.append(self._thread.submit(self._guarded, call))

    def _submit(self, call: Callable[[_Handle], object]) -> None:
        self._calls.append(self._thread.submit(self._guarded, lambda: self._if_alive(call)))

    def _if_alive(self, call: Callable[[_Handle], object]) -> None:
        if self._handle is not None:
            call(self._handle)

    def _guarded(self, call: Callable[[], None]) -> None:
        try:
            call()
        except _server_errors() as error:
            self._handle = None
            warnings.warn(f"tracking stopped, results are not touched: {error}", stacklevel=1)


@contextlib.contextmanager
def stage_run(
    stage: str, name: str, *, experiment: str, params: Mapping[str, Any]
) -> Iterator[Run]:
    """A run for one stage, under the parent of this pipeline execution.

    stage, name : stage@name in dvc.yaml; the name is that of a data set, DATASET-SYSTEM or another
    params      : as the stage read them
    Raises TrackingError if the server cannot be reached.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI", DEFAULT_URI)
    _check_reachable(uri)
    dataset, _, system = name.partition("-")
    tags = {
        "stage": stage,
        "dataset": dataset,
        "system": system,
        "git_revision": _revision(),
        **_origin(dataset),
        **_dependency_hashes(stage, name),
    }

    def start() -> _Handle:
        return _create(_parent(uri, experiment), f"{stage}@{name}" if name else stage, tags)

    # Importing MLflow and opening its store take seconds: they run beside the stage's work.
    with ThreadPoolExecutor(1) as thread:
        run = Run(thread, start)
        run.params(params)
        try:
            yield run
        except BaseException:
            run.finish("FAILED")
            raise
        run.finish("FINISHED")
        run.wait()


def _check_reachable(uri: str) -> None:
    """Raise TrackingError unless the server answers, or the database's folder can be written."""
    try:
        if uri.startswith("http"):
            urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=10).close()
        elif uri.startswith("sqlite:///"):
            folder = Path(uri.removeprefix("sqlite:///")).absolute().parent
            if not os.access(folder, os.W_OK):
                raise PermissionError(f"{folder} cannot be written")
    except OSError as error:
        raise TrackingError(
            f"MLflow at {uri} cannot be used: {error}; start it, or unset MLFLOW_TRACKING_URI for "
            f"{DEFAULT_URI}"
        ) from error


def _parent(uri: str, experiment: str) -> _Handle:
    """The run of this pipeline execution: the DVC experiment, else the git revision."""
    from filelock import FileLock

    name = os.environ.get("DVC_EXP_NAME") or _revision()
    for logger in ("mlflow", "alembic"):
        logging.getLogger(logger).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="sqlalchemy")
    import mlflow

    mlflow.set_tracking_uri(uri)
    client = mlflow.MlflowClient()
    paths.CACHE.mkdir(exist_ok=True)
    # Two first users at once would both migrate the new database, or make the same run.
    with FileLock(paths.CACHE / "tracking.lock"):
        experiment_id = _experiment(client, experiment, local=uri == DEFAULT_URI)
        found = client.search_runs(
            [experiment_id], filter_string=f"tags.execution = '{name}'", max_results=1
        )
        if found:
            return _Handle(client, found[0].info.run_id, experiment_id)
        run = client.create_run(experiment_id, run_name=name, tags={"execution": name})
        client.set_terminated(run.info.run_id)
        return _Handle(client, run.info.run_id, experiment_id)


def _experiment(client: Any, name: str, *, local: bool) -> str:
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    where = "mlartifacts" if local else None
    return str(client.create_experiment(name, artifact_location=where))


def _create(parent: _Handle, name: str, tags: Mapping[str, str] | None = None) -> _Handle:
    all_tags = {"mlflow.parentRunId": parent.run_id, **(tags or {})}
    created = parent.client.create_run(parent.experiment_id, run_name=name, tags=all_tags)
    return _Handle(parent.client, created.info.run_id, parent.experiment_id)


def _log_model(
    run_id: str, model: "torch.nn.Module", example: Mapping[str, "torch.Tensor"]
) -> None:
    import mlflow
    import torch
    from mlflow.models import infer_signature

    inputs = {name: value.numpy() for name, value in example.items()}
    with torch.no_grad():
        output = model.eval()(**example).numpy()
    with mlflow.start_run(run_id=run_id):
        mlflow.pytorch.log_model(
            model,
            name="model",
            signature=infer_signature(inputs, output),
            input_example=tuple(inputs.values()),
            pip_requirements=[f"torch=={torch.__version__.split('+')[0]}"],
        )


def _server_errors() -> tuple[type[Exception], ...]:
    import mlflow
    import requests

    return (mlflow.MlflowException, requests.RequestException, OSError, TrackingError)


def _origin(dataset: str) -> dict[str, str]:
    """Whether the data are a synthetic twin's, as the index says."""
    index = paths.sources(dataset)
    if not index.exists():
        return {}
    synthetic = pl.read_parquet(index, columns=["synthetic"])["synthetic"].any()
    return {"data": "twin" if synthetic else "real"}


def _revision() -> str:
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    return done.stdout.strip() or "unversioned"


def _dependency_hashes(stage: str, name: str) -> dict[str, str]:
    """Content hashes, from dvc.lock, of what other stages made and this one reads."""
    import yaml

    lock = Path("dvc.lock")
    if not lock.exists():
        return {}
    made = {
        out["path"]: out.get("md5", "")
        for entry in yaml.safe_load(lock.read_text()).get("stages", {}).values()
        for out in entry.get("outs", [])
    }
    entry = yaml.safe_load(Path("dvc.yaml").read_text())["stages"][stage]
    dataset, _, system = name.partition("-")
    read = [
        re.sub(
            r"\$\{(item|key|item\.\w+)\}", lambda m: system if "system" in m[1] else dataset, dep
        )
        for dep in entry.get("do", entry).get("deps", [])
    ]
    return {f"dep.{path}": made[path] for path in read if path in made}


def _flat(params: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in params.items():
        if hasattr(value, "model_dump"):
            value = value.model_dump()
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _params(params: Mapping[str, Any]) -> list[Any]:
    from mlflow.entities import Param

    return [Param(key, str(value)) for key, value in _flat(params).items()]


def _metrics(metrics: Mapping[str, float], step: int) -> list[Any]:
    from mlflow.entities import Metric

    return [Metric(key, value, 0, step) for key, value in metrics.items()]
