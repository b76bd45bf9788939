"""UniAUTransformer: the action units of a whole trial alone (Table 4a; DEAP's MVP on video, 4b).

What differs from MVP: queries, keys and values are all video, so the stack of attention layers is
a plain transformer encoder. Recordings without physiology take part.
"""

from pathlib import Path

import polars as pl
from torch import Tensor, nn

from models.layers import Fusion, visual_backbone
from pipeline_lib import feature_training, params, schema, trials
from pipeline_lib.training import FoldResult
from pipeline_lib.trials import Lengths, Modality

MODALITIES: tuple[Modality, ...] = ("visual",)


def lacking(features: pl.DataFrame, config: params.Trained) -> dict[str, str]:
    """What the recordings lack that this system cannot use, by recording_id."""
    return trials.lacking(features, MODALITIES)


class UniAU(nn.Module):
    """Logits (B, 2) of valence and arousal: video reads itself."""

    def __init__(self, config: params.UniAU, lengths: Lengths) -> None:
        super().__init__()
        self.visual = visual_backbone(config, lengths)
        self.fusion = Fusion(config, cross=False)
        self.head = nn.Linear(config.dim, len(schema.TARGETS))

    def forward(self, visual: Tensor, n_frames: Tensor) -> Tensor:
        """visual (B, frames, 42), true lengths (B,) -> logits (B, 2)."""
        tokens = self.visual(visual, n_frames)  # (B, N, D)
        logits: Tensor = self.head(self.fusion(tokens))
        return logits


def train_fold(
    features: pl.DataFrame,
    fold: pl.DataFrame,
    *,
    config: params.UniAU,
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
        build=lambda: UniAU(config, lengths),
        config=config,
        seed=seed,
        checkpoint=checkpoint,
        modalities=MODALITIES,
    )
