"""MultiTransformer: one transformer a modality over ten seconds, fused late (Table 4, "adapted").

Vazquez-Rodriguez et al., "Emotion recognition with pre-trained transformers using multimodal
signals", ACII 2022, as MVP 5.2 adapts it: ECG or PPG and EDA are one input, action units the other,
where its authors had ECG and EEG. The last outputs of both encoders, what their CLS tokens hold,
are concatenated, and a linear layer decides. What differs: no pre-training; pre-norm [?]. The
trial's score is the mean of its segments' probabilities.
"""

from pathlib import Path

import polars as pl
import torch
from torch import Tensor, nn

from models.layers import SegmentEncoder
from pipeline_lib import feature_training, params, schema, trials
from pipeline_lib.training import FoldResult
from pipeline_lib.trials import N_PHYSIO, N_VISUAL, Lengths


class MultiTransformer(nn.Module):
    """Logits (B, 2) of valence and arousal of a segment."""

    def __init__(self, config: params.MultiTransformer, lengths: Lengths) -> None:
        super().__init__()
        self.visual = SegmentEncoder(
            config,
            N_VISUAL,
            config.visual_channels,
            config.visual_kernels,
            config.visual_pool,
            lengths.frames,
        )
        self.physio = SegmentEncoder(
            config,
            N_PHYSIO,
            config.physio_channels,
            config.physio_kernels,
            config.physio_pool,
            lengths.times,
        )
        self.head = nn.Linear(2 * config.dim, len(schema.TARGETS))

    def forward(self, visual: Tensor, physio: Tensor, n_frames: Tensor, n_times: Tensor) -> Tensor:
        """visual (B, frames, 42), physio (B, times, 2) -> logits (B, 2)."""
        read = torch.cat([self.physio(physio), self.visual(visual)], dim=1)  # (B, 2 D)
        logits: Tensor = self.head(read)
        return logits


def lacking(features: pl.DataFrame, config: params.Trained) -> dict[str, str]:
    """What the recordings lack that this system cannot use, by recording_id."""
    return trials.lacking(features)


def train_fold(
    features: pl.DataFrame,
    fold: pl.DataFrame,
    *,
    config: params.MultiTransformer,
    fps: float,
    sampling_rate: float,
    seed: int,
    checkpoint: Path | None,
) -> FoldResult:
    """Train on one fold, see feature_training.train; fps, sampling_rate in Hz."""
    items, lengths = feature_training.segments(
        config.segment_seconds, fps=fps, sampling_rate=sampling_rate
    )
    return feature_training.train(
        features,
        fold,
        items=items,
        build=lambda: MultiTransformer(config, lengths),
        config=config,
        seed=seed,
        checkpoint=checkpoint,
    )
