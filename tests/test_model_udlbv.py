"""The parts of UDLBV: its encoder, its LSTM, its extreme learning machine."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import ResNetModel, SegformerConfig, SegformerModel

from models import udlbv
from models.udlbv import ExtremeLearningMachine, LastState, Sequences
from pipeline_lib.learning.training import TrainingError

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 255, (3, 32, 32, 3), np.uint8)


def test_elm_is_ridge_regression_on_its_random_units() -> None:
    """Against the normal equations."""
    x, y = RNG.normal(size=(40, 3)) * [1, 5, 0.1] + 2, RNG.integers(0, 2, (40, 2))
    elm = ExtremeLearningMachine(7, ridge=0.5, seed=0)
    elm.fit(x, y)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    h = np.tanh(z @ elm.weights + elm.biases)
    centred = h - h.mean(axis=0)
    beta = np.linalg.solve(centred.T @ centred + 0.5 * np.eye(7), centred.T @ (y - y.mean(axis=0)))
    np.testing.assert_allclose(
        elm.predict(x), np.clip(centred @ beta + y.mean(axis=0), 0, 1), atol=1e-10
    )


def test_elm_solves_what_no_plane_does() -> None:
    x = RNG.uniform(-1, 1, (200, 2))
    y = (x[:, :1] * x[:, 1:] > 0).astype(int)
    elm = ExtremeLearningMachine(50, ridge=0.1, seed=0)
    elm.fit(x[:150], y[:150])
    assert ((elm.predict(x[150:]) > 0.5) == y[150:]).mean() > 0.9


def test_lstm_reads_up_to_the_last_frame_and_no_padding() -> None:
    torch.manual_seed(0)
    model = LastState(4, 8)
    long, short = RNG.normal(size=(6, 4)), RNG.normal(size=(3, 4))
    padded = Sequences([long, short], np.array([[0, 1], [1, 0]]))
    assert padded[1]["frames"].shape == (6, 4)
    alone = Sequences([short], np.array([[1, 0]]))
    with torch.inference_mode():
        together = model(padded.frames, padded.n_frames)[1]
        torch.testing.assert_close(together, model(alone.frames, alone.n_frames)[0])


def test_without_a_name_the_encoder_is_random_and_the_same_for_a_seed() -> None:
    same, again, other = (
        udlbv._encode(udlbv._encoder(None, seed=seed), PIXELS) for seed in (1, 1, 2)
    )
    assert same.shape == (3, udlbv.RANDOM.hidden_sizes[-1])
    np.testing.assert_array_equal(same, again)
    assert np.abs(same - other).max() > 0.01
    assert np.ptp(same, axis=0).max() > 0.01  # pictures differ in it


def test_an_encoder_on_disk_is_used(tmp_path: Path) -> None:
    torch.manual_seed(5)
    model = ResNetModel(udlbv.RANDOM).eval()
    model.save_pretrained(tmp_path)
    pixels = (torch.from_numpy(PIXELS) / 255 - torch.tensor(udlbv.MEAN)) / torch.tensor(udlbv.STD)
    with torch.inference_mode():
        expected = model(pixels.permute(0, 3, 1, 2)).pooler_output.flatten(1)
    found = udlbv._encode(udlbv._encoder(str(tmp_path), seed=0), PIXELS)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


def test_an_encoder_without_a_pooled_output_is_refused(tmp_path: Path) -> None:
    SegformerModel(SegformerConfig(hidden_sizes=[8, 8, 8, 8], depths=[1] * 4)).save_pretrained(
        tmp_path
    )
    encoder = udlbv._encoder(str(tmp_path), seed=0)
    with pytest.raises(TrainingError, match=r"udlbv\.encoder is a SegformerModel, which has no"):
        udlbv._encode(encoder, PIXELS)
