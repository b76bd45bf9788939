"""Pre-trained models by hub id, `id@revision`, or a folder or file of one's own."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import pipeline_lib.core.privacy  # noqa: F401  before transformers, which reads what it sets
from pipeline_lib.core.files import sha256
from pipeline_lib.recordings import DatasetError


def name_and_revision(model: str) -> dict[str, Any]:
    """Arguments of `from_pretrained`: a folder as it is, a hub id with its revision, if any."""
    if Path(model).exists():
        return {"pretrained_model_name_or_path": model}
    name, _, revision = model.partition("@")
    return {"pretrained_model_name_or_path": name} | ({"revision": revision} if revision else {})


def only_file(model: str) -> Path:
    """The file itself, or the one file of a folder; raises DatasetError if that is not so."""
    path = Path(model)
    files = [path] if path.is_file() else sorted(path.glob("*")) if path.is_dir() else []
    if len(files) != 1:
        raise DatasetError(
            f"{model}: one file of weights is wanted here, there are {len(files)}; run "
            "`dvc repro assets`, or name your own in embeddings.<scale>.<encoder>.model"
        )
    return files[0]


@cache
def content(model: str) -> str:
    """What stands for a model in a cache key: the hash of its files, or its id and revision."""
    path = Path(model)
    if not path.exists():
        return model
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    return " ".join(sha256(file) for file in files)


def transformers() -> Any:
    """The library, silent, and sure to send nothing about its use."""
    import transformers
    from transformers.utils import logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    return transformers


def device() -> str:
    """The first GPU if there is one."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def forward(model: Any, device: str, *inputs: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """A network's output, (n, width), for a batch of inputs."""
    import torch

    with torch.inference_mode():
        output = model(*(torch.from_numpy(each).to(device) for each in inputs))
    return np.asarray(output.float().cpu().numpy())
