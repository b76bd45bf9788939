"""UniPhysioTransformer: raw ECG or PPG and EDA of a whole trial alone (Table 4a; DEAP, 4b).

What differs from MVP: queries, keys and values are all physiology, so the stack of attention
layers is a plain transformer encoder. Recordings without video take part.
"""

from pathlib import Path

import polars as pl
from torch import Tensor, nn

from models.layers import Fusion, physio_backbone
from pipeline_lib import feature_training, params, schema, trials
from pipeline_lib.training import FoldResult
from pipeline_lib.trials import Lengths, Modality

MODALITIES: tuple[Modality, ...] = ("physio",)


def lacking(features: pl.DataFrame, config: params.Trained) -> dict[str, str]:
    """What the recordings lack that this system cannot use, by recording_id."""
    return trials.lacking(features, MODALITIES)


class UniPhysio(nn.Module):
    """Logits (B, 2) of valence and arousal: physiology reads itself."""

    def __init__(self, config: params.UniPhysio, lengths: Lengths) -> None:
        super().__init__()
        self.physio = physio_backbone(config, lengths)
        self.fusion = Fusion(config, cross=False)
        self.head = nn.Linear(config.dim, len(schema.TARGETS))

    def forward(self, physio: Tensor, n_times: Tensor) -> Tensor:
        """physio (B, times, 2), true lengths (B,) -> logits (B, 2)."""
        tokens = self.physio(physio, n_times)  # (B, N, D)
        logits: Tensor = self.head(self.fusion(tokens))
        return logits


def train_fold(
    features: pl.DataFrame,
    fold: pl.DataFrame,
    *,
    config: params.UniPhysio,
    fps: float,
    sampling_rate: float,
    seed: int,
    checkpoint: Path | None,
) -> FoldResult:
    """Train on one fold, see feature_training.train; fps, sampling_rate in Hz."""
    items, lengths = feature_training.whole_trials(
        config.max_seconds, fps=fps, sampling_rate=sampling_rate, modalities=MODALITIES
    )
    return feature_training.train(
        features,
        fold,
        items=items,
        build=lambda: UniPhysio(config, lengths),
        config=config,
        seed=seed,
        checkpoint=checkpoint,
        modalities=MODALITIES,
    )
