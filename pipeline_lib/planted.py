"""Action units and signals drawn from a planted model: what a system sees, it should find.

Valence lifts ten of the visual features; arousal makes the EDA rise, not fall. The two are drawn
apart from each other, so a system that sees one modality cannot know the other's target.
"""

import numpy as np
import polars as pl

from pipeline_lib.schema import FEATURES
from pipeline_lib.trials import N_VISUAL

FPS, SAMPLING_RATE = 4.0, 16.0  # Hz
SECONDS = 8.0


def planted(
    *, n_subjects: int = 14, trials: int = 4, video: float = 2.0, physiology: float = 1.0
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Features, and one fold: three subjects to test, three to validate, the others to train.

    video      : what valence adds to features whose noise has deviation 1
    physiology : slope of the EDA, 1/s, whose noise has deviation 1
    """
    rng = np.random.default_rng(0)
    time = np.arange(SECONDS * SAMPLING_RATE) / SAMPLING_RATE
    rows, roles = [], []
    for subject in range(n_subjects):
        role = "test" if subject < 3 else "validation" if subject < 6 else "train"
        for trial in range(trials):
            valence, arousal = (int(x) for x in rng.integers(0, 2, 2))
            visual = rng.normal(size=(round(SECONDS * FPS), N_VISUAL))
            visual[:, :10] += video * valence
            eda = physiology * (2 * arousal - 1) * time + rng.normal(size=time.size)
            physio = np.stack([rng.normal(size=time.size), eda], axis=1)
            name = f"{subject:02}_{trial}"
            rows.append((name, str(subject), len(visual), visual.ravel(), 1.0, len(physio),
                         physio.ravel(), 1.0, 1.0, valence, arousal))  # fmt: skip
            roles.append((0, name, str(subject), role))
    fold = pl.DataFrame(roles, schema=["fold", "recording_id", "subject", "role"], orient="row")
    return pl.DataFrame(rows, schema=dict(FEATURES), orient="row"), fold


def without(features: pl.DataFrame, recordings: pl.Expr, modality: str) -> pl.DataFrame:
    """The features with one modality taken out of some of the recordings."""
    count = {"visual": "n_frames", "physio": "n_times"}[modality]
    return features.with_columns(
        pl.when(recordings).then(None).otherwise(modality).alias(modality),
        pl.when(recordings).then(0).otherwise(count).alias(count),
    )
