"""UniTransformer: raw ECG or PPG and EDA in segments of ten seconds (Table 4, "adapted").

Vazquez-Rodriguez et al., "Transformer-based self-supervised learning for emotion recognition",
ICPR 2022, as MVP 5.2 adapts it: heart and EDA together where its authors had ECG alone. Sizes are
recalled from there [?]: three convolutions, a CLS token, 2 layers, 2 heads. What differs: no
pre-training; pre-norm, which trains without a warm-up [?]; one linear head for both targets. The
trial's score is the mean of its segments' probabilities. Recordings without video take part.
"""

from pathlib import Path

import polars as pl
from torch import Tensor, nn

from models.layers import SegmentEncoder
from pipeline_lib import feature_training, params, schema, trials
from pipeline_lib.training import FoldResult
from pipeline_lib.trials import N_PHYSIO, Lengths, Modality

MODALITIES: tuple[Modality, ...] = ("physio",)


def lacking(features: pl.DataFrame, config: params.Trained) -> dict[str, str]:
    """What the recordings lack that this system cannot use, by recording_id."""
    return trials.lacking(features, MODALITIES)


class UniTransformer(nn.Module):
    """Logits (B, 2) of valence and arousal of a segment."""

    def __init__(self, config: params.UniTransformer, lengths: Lengths) -> None:
        super().__init__()
        self.physio = SegmentEncoder(
            config,
            N_PHYSIO,
            config.physio_channels,
            config.physio_kernels,
            config.physio_pool,
            lengths.times,
        )
        self.head = nn.Linear(config.dim, len(schema.TARGETS))

    def forward(self, physio: Tensor, n_times: Tensor) -> Tensor:
        """physio (B, times, 2) -> logits (B, 2)."""
        logits: Tensor = self.head(self.physio(physio))
        return logits


def train_fold(
    features: pl.DataFrame,
    fold: pl.DataFrame,
    *,
    config: params.UniTransformer,
    fps: float,
    sampling_rate: float,
    seed: int,
    checkpoint: Path | None,
) -> FoldResult:
    """Train on one fold, see feature_training.train; fps, sampling_rate in Hz."""
    items, lengths = feature_training.segments(
        config.segment_seconds, fps=fps, sampling_rate=sampling_rate, modalities=MODALITIES
    )
    return feature_training.train(
        features,
        fold,
        items=items,
        build=lambda: UniTransformer(config, lengths),
        config=config,
        seed=seed,
        checkpoint=checkpoint,
        modalities=MODALITIES,
    )
