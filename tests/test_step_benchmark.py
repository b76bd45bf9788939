"""A training step of MVP at the size of the paper, as the benchmark measures it."""

import math
from pathlib import Path

import pytest
import torch

from models.step_benchmark import train
from pipeline_lib.params import load_params


def test_a_step_on_2800_frames_and_19900_samples_moves_every_weight(tmp_path: Path) -> None:
    params = load_params()
    longest = params.models["paper"].mvp.max_seconds
    measured = train("ours", [longest], steps=1, out=tmp_path / "gradients", params=params)
    assert measured["first_loss"] == pytest.approx(math.log(2), abs=0.5)
    for name, gradient in torch.load(tmp_path / "gradients").items():
        assert gradient.isfinite().all(), name
        assert gradient.any(), name
