"""The measured step: of the paper's width, with two of its 26 layers."""

import re
import sys

import pytest

from models.fusion_benchmark import WIDTHS, train
from pipeline_lib.params import load_params
from stages import benchmark_fusion


def test_a_step_at_the_papers_width_learns_and_tells_its_size() -> None:
    config = load_params().fusion["paper"]["viper"].model_copy(update={"depth": 2})
    found = train(config, widths=WIDTHS, batch_size=1, steps=2, seed=0)
    per_layer = 6 * 1280 * 1280 + 6 * 1280 + 4 * 1280  # four maps of attention, two after it; norms
    assert found["parameters"] + 24 * per_layer == 283_382_722
    assert found["last_loss"] < found["first_loss"]
    assert found["peak_MB"] < 20_000


def test_the_command_prints_what_it_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--system", "fau_lstm", "--batch", "2", "--steps", "1"]
    monkeypatch.setattr(sys, "argv", ["benchmark_fusion", *arguments])
    assert benchmark_fusion.main() == 0
    assert re.match(r"parameters 10\d{4}, first_loss ", capsys.readouterr().out)
