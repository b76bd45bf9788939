"""MVP on cuts of ten seconds: the row "MVP (10s cut input)" of Table 4.

What differs from MVP: a recording is cut into segments (`pipeline_lib.segments`), each of them an
item with the trial's label, and the trial's score is the mean of its segments' probabilities. The
network is the same, so its linear layer over time is that much smaller. That a long trial counts
for more in training, having more segments, is left as it is [?].
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
    config: params.MVPCut,
    fps: float,
    sampling_rate: float,
    seed: int,
    checkpoint: Path | None,
) -> FoldResult:
    """Train on one fold, see feature_training.train; fps, sampling_rate in Hz."""
    items, lengths = feature_training.segments(
        config.segment_seconds,
        fps=fps,
        sampling_rate=sampling_rate,
        quality=config.quality == "mask",
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
