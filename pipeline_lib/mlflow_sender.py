"""Bring one stage's run to MLflow: the process beside a stage, and the only import of MLflow.

Reads one JSON object a line from standard input, as pipeline_lib.tracking writes them, until the
stage closes it. Importing MLflow takes seconds, which no stage has to wait for.
"""

import json
import logging
import sys
import warnings
from pathlib import Path
from typing import Any

import mlflow
from filelock import FileLock
from mlflow.entities import Metric, Param

import pipeline_lib.privacy  # noqa: F401  before MLflow, which reads what it sets

LOCK = Path(".cache", "tracking.lock")
KIND = {"mlflow.experimentKind": "custom_model_development"}  # else the UI opens on its GenAI pages


class Sender:
    """Holds the runs that a stage has opened: its own, "", and those of its folds, by name."""

    def __init__(self, start: dict[str, Any]) -> None:
        mlflow.set_tracking_uri(start["uri"])
        self.runs: dict[str, str] = {}
        LOCK.parent.mkdir(exist_ok=True)
        # Two first users at once would both migrate the new database, or make the same run.
        with FileLock(LOCK):
            self.client = mlflow.MlflowClient()
            self.experiment_id = self._experiment(start["experiment"], local=start["local"])
            self.parent = self._execution(start["execution"])
        self._create("", start["name"], self.parent, start["tags"])

    def send(self, op: str, run: str, **content: Any) -> None:
        getattr(self, f"_{op}")(run, **content)

    def close(self) -> None:
        """Mark what the stage has left open: it was killed."""
        for run_id in self.runs.values():
            self.client.set_terminated(run_id, "KILLED")

    def _experiment(self, name: str, *, local: bool) -> str:
        found = self.client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        where = "mlartifacts" if local else None
        created = self.client.create_experiment(name, artifact_location=where, tags=KIND)
        return str(created)

    def _execution(self, name: str) -> str:
        """The parent of all runs of one pipeline execution."""
        found = self.client.search_runs(
            [self.experiment_id], filter_string=f"tags.execution = '{name}'", max_results=1
        )
        if found:
            return str(found[0].info.run_id)
        run = self.client.create_run(self.experiment_id, run_name=name, tags={"execution": name})
        self.client.set_terminated(run.info.run_id)
        return str(run.info.run_id)

    def _create(self, run: str, name: str, parent: str, tags: dict[str, str]) -> None:
        all_tags = {"mlflow.parentRunId": parent, **tags}
        created = self.client.create_run(self.experiment_id, run_name=name, tags=all_tags)
        self.runs[run] = created.info.run_id

    def _fold(self, run: str) -> None:
        self._create(run, run, self.runs[""], {})

    def _params(self, run: str, params: dict[str, Any]) -> None:
        entities = [Param(key, str(value)) for key, value in params.items()]
        self.client.log_batch(self.runs[run], params=entities)

    def _metrics(self, run: str, metrics: dict[str, float], step: int, time: int) -> None:
        entities = [Metric(key, value, time, step) for key, value in metrics.items()]
        self.client.log_batch(self.runs[run], metrics=entities)

    def _results(self, run: str, metrics: dict[str, float], time: int) -> None:
        self._metrics(run, metrics, 0, time)
        entities = [Metric(key, value, time, 0) for key, value in metrics.items()]
        self.client.log_batch(self.parent, metrics=entities)

    def _text(self, run: str, text: str, name: str) -> None:
        self.client.log_text(self.runs[run], text, name)

    def _model(self, run: str, path: str) -> None:
        import torch
        from mlflow.models import infer_signature

        # Saved a moment ago by the stage beside this process.
        model, example = torch.load(path, weights_only=False)
        Path(path).unlink()
        inputs = {name: value.numpy() for name, value in example.items()}
        with torch.no_grad():
            output = model(**example).numpy()
        with mlflow.start_run(run_id=self.runs[run]):
            mlflow.pytorch.log_model(
                model,
                name="model",
                signature=infer_signature(inputs, output),
                input_example=tuple(inputs.values()),
                pip_requirements=[f"torch=={torch.__version__.split('+')[0]}"],
            )
        self.client.update_run(self.runs[run], status="RUNNING")

    def _finish(self, run: str, status: str) -> None:
        self.client.set_terminated(self.runs.pop(run), status)


def main() -> int:
    for name in ("mlflow", "alembic", "torch"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="sqlalchemy|torch|mlflow")
    try:
        sender = Sender(json.loads(sys.stdin.readline()))
        for line in sys.stdin:
            sender.send(**json.loads(line))
        sender.close()
    except (mlflow.MlflowException, OSError) as error:  # requests' errors are OSErrors
        sys.stderr.write(f"tracking stopped, results are not touched: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
