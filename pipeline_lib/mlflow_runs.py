"""A stage's messages as MLflow's runs; with mlflow_models the only import of MLflow."""

import logging
import warnings
from collections.abc import Hashable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
from mlflow.entities import Metric, Param

import pipeline_lib.core.privacy  # noqa: F401  before MLflow, which reads what it sets
from pipeline_lib.core.tracking import TrackingError, check_reachable

if TYPE_CHECKING:
    from pipeline_lib.mlflow_models import Traced

KIND = {"mlflow.experimentKind": "custom_model_development"}  # else the UI opens on its GenAI pages
BATCH = 1000  # the most metrics that MLflow takes at once

for _name in ("mlflow", "alembic", "torch"):
    logging.getLogger(_name).setLevel(logging.ERROR)
warnings.filterwarnings("ignore", module="sqlalchemy|torch|mlflow")


class Server:
    """The connection of this process."""

    def __init__(self, uri: str) -> None:
        mlflow.set_tracking_uri(uri)
        self.client = mlflow.MlflowClient()
        self.client.search_experiments(max_results=1)  # makes a new database
        self._uri = uri
        local = uri.startswith("sqlite:///")
        self._database = Path(uri.removeprefix("sqlite:///")) if local else None
        self.traced: dict[Hashable, Traced] = {}

    def is_gone(self) -> bool:
        """Whether the database was deleted, into which SQLite would write on."""
        return self._database is not None and not self._database.exists()

    def is_cause(self, error: Exception) -> bool:
        """Whether the server has caused an error, and not what was sent; a later try may do."""
        if not isinstance(error, mlflow.MlflowException):
            return isinstance(error, OSError) and not isinstance(error, FileNotFoundError)
        try:
            check_reachable(self._uri)
        except TrackingError:
            return True
        return error.get_http_status_code() in (401, 403, 429, 503)


class Runs:
    """The runs that a stage has opened: its own, "", and those of its folds, by name.

    folder : of the stage's spool, with the files that its messages name
    The rest is what `state` gave before, to go on from there.
    """

    def __init__(
        self,
        folder: Path,
        server: Server,
        *,
        experiment_id: str = "",
        parent: str = "",
        runs: dict[str, str] | None = None,
    ) -> None:
        self.client = server.client
        self._traced = server.traced
        self.folder = folder
        self.experiment_id, self.parent = experiment_id, parent
        self.runs = runs or {}

    def state(self) -> dict[str, Any]:
        return {"experiment_id": self.experiment_id, "parent": self.parent, "runs": self.runs}

    def send(self, op: str, run: str, time: int, **content: Any) -> None:
        """Do what a message says; `time` in ms is when it was said."""
        getattr(self, f"_{op}")(run, time, **content)

    def close(self, time: int) -> None:
        """Mark what the stage has left open: it was killed."""
        for run_id in self.runs.values():
            self.client.set_terminated(run_id, "KILLED", time)

    def _start(self, run: str, time: int, **start: Any) -> None:
        self.experiment_id = self._experiment(start["experiment"], local=start["local"])
        self.parent = self._execution(start["execution"], time)
        self._create(run, time, start["name"], self.parent, start["tags"])

    def _experiment(self, name: str, *, local: bool) -> str:
        found = self.client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        where = "mlartifacts" if local else None
        created = self.client.create_experiment(name, artifact_location=where, tags=KIND)
        return str(created)

    def _execution(self, name: str, time: int) -> str:
        """The parent of all runs of one pipeline execution."""
        found = self.client.search_runs(
            [self.experiment_id], filter_string=f"tags.execution = '{name}'", max_results=1
        )
        if found:
            return str(found[0].info.run_id)
        tags = {"execution": name}
        run = self.client.create_run(self.experiment_id, time, run_name=name, tags=tags)
        self.client.set_terminated(run.info.run_id)
        return str(run.info.run_id)

    def _create(self, run: str, time: int, name: str, parent: str, tags: dict[str, str]) -> None:
        all_tags = {"mlflow.parentRunId": parent, **tags}
        created = self.client.create_run(self.experiment_id, time, run_name=name, tags=all_tags)
        self.runs[run] = created.info.run_id

    def _fold(self, run: str, time: int) -> None:
        self._create(run, time, run, self.runs[""], {})

    def _params(self, run: str, time: int, params: dict[str, Any]) -> None:
        entities = [Param(key, str(value)) for key, value in params.items()]
        self.client.log_batch(self.runs[run], params=entities)

    def _metrics(self, run: str, time: int, values: list[tuple[str, float, int, int]]) -> None:
        """values : name, value, time in ms, step"""
        entities = [Metric(*value) for value in values]
        for start in range(0, len(entities), BATCH):
            self.client.log_batch(self.runs[run], metrics=entities[start : start + BATCH])

    def _results(self, run: str, time: int, metrics: dict[str, float]) -> None:
        entities = [Metric(key, value, time, 0) for key, value in metrics.items()]
        for run_id in (self.runs[run], self.parent):
            self.client.log_batch(run_id, metrics=entities)

    def _text(self, run: str, time: int, text: str, name: str) -> None:
        self.client.log_text(self.runs[run], text, name)

    def _model(self, run: str, time: int, file: str) -> None:
        import torch

        from pipeline_lib.mlflow_models import Traced, architecture

        # The stage has saved it, whose folder nobody else can write to.
        model, example = torch.load(self.folder / file, weights_only=False)
        known = architecture(model, example)
        if known not in self._traced or not self._traced[known].adopt(model, example):
            self._traced[known] = Traced(model, example)
        self._traced[known].log(self.client, self.experiment_id, self.runs[run])

    def _finish(self, run: str, time: int, status: str) -> None:
        self.client.set_terminated(self.runs[run], status, time)
        del self.runs[run]
