"""Models as traced graphs with their signature.

Tracing takes a second or more, and the models of all folds, and of one system on several data sets,
have the same graph: it is traced once and takes over the weights of the others.
"""

import shutil
import tempfile
from collections.abc import Hashable, Mapping
from pathlib import Path

import mlflow
import torch
from mlflow import MlflowClient
from mlflow.models import Model, infer_signature
from torch import Tensor, nn

MODEL = "data/model.pt2"  # where mlflow.pytorch looks for it


class Traced:
    """A model as MLflow saves it, to be logged with these or with other weights.

    A flavor for `mlflow.models.Model.log`, as MLflow's documentation describes them.
    """

    def __init__(self, model: nn.Module, example: Mapping[str, Tensor]) -> None:
        """Trace a model; example: a batch of inputs, in the order of `forward`."""
        inputs = {name: value.numpy() for name, value in example.items()}
        with torch.no_grad():
            output = model(**example).numpy()
        self._temporary = tempfile.TemporaryDirectory()
        self._saved = Path(self._temporary.name, "model")
        mlflow.pytorch.save_model(
            model,
            self._saved,
            signature=infer_signature(inputs, output),
            input_example=tuple(inputs.values()),
            pip_requirements=[f"torch=={torch.__version__.split('+')[0]}"],
        )
        self._program = torch.export.load(self._saved / MODEL)

    def adopt(self, model: nn.Module, example: Mapping[str, Tensor]) -> bool:
        """Take over the weights of a model of the same `architecture`.

        False if the graph then gives other numbers than it.
        """
        weights = model.state_dict()
        with torch.no_grad():
            for name, value in self._program.state_dict.items():
                value.copy_(weights[name])
            expected = model(**example)
            given = self._program.module()(*example.values())
        return torch.allclose(given, expected, rtol=1e-4, atol=1e-5)

    def log(self, client: MlflowClient, experiment_id: str, run_id: str) -> None:
        made = client.create_logged_model(experiment_id, "model", source_run_id=run_id)
        Model.log(None, self, run_id=run_id, model_id=made.model_id)

    def save_model(self, path: str, mlflow_model: Model) -> None:
        """Called by MLflow: write all that belongs to the model into a new folder."""
        shutil.copytree(self._saved, path, ignore=shutil.ignore_patterns("model.pt2"))
        torch.export.save(self._program, Path(path, MODEL))
        saved = Model.load(self._saved)
        mlflow_model.flavors = saved.flavors
        mlflow_model.signature = saved.signature
        mlflow_model.saved_input_example_info = saved.saved_input_example_info
        mlflow_model.model_size_bytes = saved.model_size_bytes
        mlflow_model.save(Path(path, "MLmodel"))


def architecture(model: nn.Module, example: Mapping[str, Tensor]) -> Hashable:
    """What models of one graph have in common: class, weights and inputs by name and shape."""
    tensors = [*model.state_dict().items(), *example.items()]
    return type(model), *((name, value.shape, value.dtype) for name, value in tensors)
