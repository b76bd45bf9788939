"""The only import of MLflow: a parent run per pipeline execution, a child a stage, one a fold.

A server that cannot be reached is an error before any work; one that dies later costs warnings,
not results. Nothing is sent anywhere but to the server of MLFLOW_TRACKING_URI.
"""

import contextlib
import logging
import os
import re
import subprocess
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

import polars as pl

from pipeline_lib import paths

if TYPE_CHECKING:
    import numpy as np
    import torch

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

DEFAULT_URI = "sqlite:///mlflow.db"
P = ParamSpec("P")


class TrackingError(RuntimeError):
    """The tracking server cannot be reached before work starts."""


@dataclass
class Run:
    """A run of the tracking server; each call is best effort and warns when it fails."""

    client: Any
    run_id: str
    experiment_id: str
    alive: bool = True

    def params(self, params: Mapping[str, Any]) -> None:
        self._try(self.client.log_batch, params=_entities("Param", _flat(params)))

    def metrics(self, metrics: Mapping[str, float], *, step: int = 0) -> None:
        """Log finite numbers."""
        entities = _entities("Metric", metrics, 0, step)
        self._try(self.client.log_batch, metrics=entities)

    def table(self, table: pl.DataFrame, name: str) -> None:
        """Log a table as the CSV artifact `name`."""
        self._try(self.client.log_text, table.write_csv(), name)

    def ledger(self, ledger: pl.DataFrame, seconds: Mapping[str, float]) -> None:
        """Log a stage's ledger with the seconds that each recording took now, and its counts."""
        spent = pl.Series("seconds", [seconds.get(name) for name in ledger["recording_id"]])
        self.table(ledger.with_columns(spent.cast(pl.Float64)), "ledger.csv")
        counts = ledger["status"].value_counts().rows()
        self.metrics({"computed": len(seconds), **{str(k): float(n) for k, n in counts}})

    def file(self, path: Path) -> None:
        self._try(self.client.log_artifact, str(path))

    @contextlib.contextmanager
    def fold(self, fold: int) -> Iterator["Run"]:
        """A child run for one fold."""
        with _child(self.client, self.experiment_id, self.run_id, f"fold-{fold}", {}) as run:
            yield run

    def model(
        self, model: "torch.nn.Module", example: "Mapping[str, np.ndarray[Any, Any]]"
    ) -> None:
        """Log a model as a traced graph with its signature; `example` is a batch of two."""
        self._try(self._log_model, model, example)

    def _log_model(
        self, run_id: str, model: "torch.nn.Module", example: "Mapping[str, np.ndarray[Any, Any]]"
    ) -> None:
        import mlflow
        import torch
        from mlflow.models import infer_signature

        inputs = {name: torch.from_numpy(value) for name, value in example.items()}
        with torch.no_grad():
            output = model.eval()(**inputs).numpy()
        with mlflow.start_run(run_id=run_id), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch.export's notes on its own deprecations
            mlflow.pytorch.log_model(
                model,
                name="model",
                signature=infer_signature(dict(example), output),
                input_example=tuple(example.values()),
                pip_requirements=[f"torch=={torch.__version__.split('+')[0]}"],
            )

    def _try(
        self, call: Callable[Concatenate[str, P], object], *args: P.args, **kwargs: P.kwargs
    ) -> None:
        if not self.alive:
            return
        import mlflow
        import requests

        try:
            call(self.run_id, *args, **kwargs)
        except (mlflow.MlflowException, requests.RequestException, OSError) as error:
            self.alive = False
            warnings.warn(f"tracking stopped, results are not touched: {error}", stacklevel=3)


@contextlib.contextmanager
def stage_run(
    stage: str, name: str, *, experiment: str, params: Mapping[str, Any]
) -> Iterator[Run]:
    """A run for one stage, under the parent of this pipeline execution.

    stage, name : stage@name in dvc.yaml; the name is that of a data set, DATASET-SYSTEM or another
    params      : as the stage read them
    Raises TrackingError if the server cannot be reached.
    """
    client, experiment_id = _connect(experiment)
    parent = _parent(client, experiment_id)
    dataset, _, system = name.partition("-")
    tags = {
        "stage": stage,
        "dataset": dataset,
        "system": system,
        "git_revision": _revision(),
        **_origin(dataset),
        **_dependency_hashes(stage, name),
    }
    title = f"{stage}@{name}" if name else stage
    with _child(client, experiment_id, parent, title, tags) as run:
        run.params(params)
        yield run


def _connect(experiment: str) -> tuple[Any, str]:
    from filelock import FileLock

    logging.getLogger("mlflow").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    uri = os.environ.get("MLFLOW_TRACKING_URI", DEFAULT_URI)
    import mlflow
    import requests

    warnings.filterwarnings("ignore", module="sqlalchemy")
    mlflow.set_tracking_uri(uri)
    paths.CACHE.mkdir(exist_ok=True)
    # Two first users at once would both migrate the new database.
    with FileLock(paths.CACHE / "tracking.lock"):
        try:
            client = mlflow.MlflowClient()
            found = client.get_experiment_by_name(experiment)
            if found is not None:
                return client, str(found.experiment_id)
            where = "mlartifacts" if uri == DEFAULT_URI else None
            return client, str(client.create_experiment(experiment, artifact_location=where))
        except (mlflow.MlflowException, requests.RequestException, OSError) as error:
            raise TrackingError(
                f"MLflow at {uri} cannot be used: {error}; start it, or unset MLFLOW_TRACKING_URI "
                f"for {DEFAULT_URI}"
            ) from error


def _parent(client: Any, experiment_id: str) -> str:
    """The run of this pipeline execution: the DVC experiment, else the git revision."""
    from filelock import FileLock

    name = os.environ.get("DVC_EXP_NAME") or _revision()
    with FileLock(paths.CACHE / "tracking.lock"):
        found = client.search_runs(
            [experiment_id], filter_string=f"tags.execution = '{name}'", max_results=1
        )
        if found:
            return str(found[0].info.run_id)
        run = client.create_run(experiment_id, run_name=name, tags={"execution": name})
        client.set_terminated(run.info.run_id)
        return str(run.info.run_id)


@contextlib.contextmanager
def _child(
    client: Any, experiment_id: str, parent: str, name: str, tags: Mapping[str, str]
) -> Iterator[Run]:
    created = client.create_run(
        experiment_id, run_name=name, tags={"mlflow.parentRunId": parent, **tags}
    )
    run = Run(client, created.info.run_id, experiment_id)
    try:
        yield run
    except BaseException:
        run._try(client.set_terminated, status="FAILED")
        raise
    run._try(client.set_terminated)


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


def _entities(kind: str, values: Mapping[str, Any], *rest: int) -> list[Any]:
    from mlflow import entities

    make = getattr(entities, kind)
    return [make(key, value if rest else str(value), *rest) for key, value in values.items()]
