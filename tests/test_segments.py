"""Recordings in cuts: all of each, and nothing twice but at the end."""

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, strategies as st

from pipeline_lib.core.schema import FEATURES
from pipeline_lib.learning.training import fit_fold
from pipeline_lib.stored_features.segments import Segments, cuts
from pipeline_lib.stored_features.trials import N_VISUAL, VisualScale
from pipeline_lib.studies.planted import FPS, SAMPLING_RATE, planted
from tests.test_models import small


def features(*lengths: tuple[int, int]) -> pl.DataFrame:
    """Recordings a, b, ... of so many frames and samples, which count up."""
    rows = [
        (chr(97 + i), "s", frames, np.repeat(np.arange(frames), N_VISUAL), 1.0, times,
         np.repeat(np.arange(times), 2), 1.0, 1.0, i % 2, 1)
        for i, (frames, times) in enumerate(lengths)
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=dict(FEATURES), orient="row")


def cut(table: pl.DataFrame, seconds: float) -> Segments:
    scale = VisualScale(np.zeros(N_VISUAL, np.float32), np.ones(N_VISUAL, np.float32))
    return Segments(table, scale, seconds, fps=4.0, sampling_rate=16.0, quality=True)


@pytest.mark.parametrize(
    ("whole", "starts"), [(10, [0]), (4, [0]), (20, [0, 10]), (25, [0, 10, 15]), (0, [0])]
)
def test_the_last_cut_ends_with_the_recording(whole: float, starts: list[float]) -> None:
    assert cuts(whole, 10.0) == starts


@given(st.integers(1, 400), st.sampled_from([0.7, 3.0, 10.0]))
def test_cuts_cover_every_sample(n_frames: int, seconds: float) -> None:
    segments = cut(features((n_frames, 4 * n_frames)), seconds)
    for name, n, count in (("visual", n_frames, "n_frames"), ("physio", 4 * n_frames, "n_times")):
        lengths = segments.tensors[count]
        assert lengths.sum() >= n
        if n_frames / 4.0 >= seconds:  # else it is one segment, padded
            assert (lengths >= segments.tensors[name].size(1) - 1).all()
    frames = {int(v) for x in segments.tensors["visual"][:, :, 0] for v in x}
    assert frames == set(range(n_frames))


def test_segments_have_the_ids_and_labels_of_their_trials() -> None:
    segments = cut(features((40, 160), (12, 48)), 4.0)
    assert segments.recording_ids == ["a", "a", "a", "b"]
    assert segments.tensors["labels"][:, 0].tolist() == [0, 0, 0, 1]
    assert segments.tensors["visual"][2, 0, 0] == 24  # 6 s to 10 s
    assert segments.tensors["n_frames"].tolist() == [16, 16, 16, 12]
    assert segments.tensors["faces"].sum(1).tolist() == [16, 16, 16, 12]


def test_a_modality_that_ends_early_is_padded_where_the_other_lasts() -> None:
    segments = cut(features((16, 128)), 4.0)
    assert segments.tensors["n_frames"].tolist() == [16, 0]
    assert not segments.tensors["visual"][1].any()


def test_a_trials_score_is_the_mean_of_its_segments_probabilities() -> None:
    table, _ = planted(n_subjects=2, trials=1)
    data = Segments(table, None, 3.0, fps=FPS, sampling_rate=SAMPLING_RATE, modalities=("physio",))

    class Given(torch.nn.Module):
        """Logits by where a segment starts: its first sample."""

        def __init__(self) -> None:
            super().__init__()
            self.bias = torch.nn.Parameter(torch.zeros(2))

        def forward(self, physio: torch.Tensor, n_times: torch.Tensor) -> torch.Tensor:
            return physio[:, 0] + self.bias

    model = Given()
    result = fit_fold(
        model, {"train": data, "validation": data, "test": data},
        optimiser=torch.optim.SGD(model.parameters(), lr=0.0),
        recipe=small("uni_transformer", epochs=1), seed=0, checkpoint=None,
    )  # fmt: skip
    expected = data.tensors["physio"][:3, 0, 0].sigmoid().mean().item()
    assert data.recording_ids[:4] == ["00_0"] * 3 + ["01_0"]
    (score,) = result.scores.filter(recording_id="00_0", target="valence")["score"]
    assert score == pytest.approx(expected, abs=1e-6)
