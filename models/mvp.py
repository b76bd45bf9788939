"""MVP: facial action units and raw physiology of a whole trial, fused by cross-attention.

Strizhkova et al., ABAW 2024; the network is `models.layers.MVP`. What differs from a textbook
transformer, beside what stands there:
- queries are physiology, keys and values are video: the residual stream stays physiological, and
  every layer reads the same video tokens (3.3)
- one model predicts valence and arousal
The authors published no code.
"""

from pathlib import Path

import polars as pl

from models.layers import MVP
from pipeline_lib import feature_training, params
from pipeline_lib.feature_training import (
    lacking_of_mvp as lacking,  # noqa: F401  a system says what it cannot do without
)
from pipeline_lib.training import FoldResult


def train_fold(
    features: pl.DataFrame,
    fold: pl.DataFrame,
    *,
    config: params.MVP,
    fps: float,
    sampling_rate: float,
    seed: int,
    checkpoint: Path | None,
) -> FoldResult:
    """Train on one fold, see feature_training.train; fps, sampling_rate in Hz."""
    items, lengths = feature_training.whole_trials(
        config.max_seconds, fps=fps, sampling_rate=sampling_rate, quality=config.quality == "mask"
    )
    return feature_training.train(
        features,
        fold,
        items=items,
        build=lambda: MVP(config, lengths),
        config=config,
        seed=seed,
        checkpoint=checkpoint,
        any_of_them=config.quality == "mask",
    )
