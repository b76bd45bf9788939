"""What fused systems estimate: ratings, brought to 0-1.

Hume-Reaction's seven intensities are 0-1 as given. Of other sets it is valence and arousal, brought
there by the set's scale; if that is not known, by the lowest and highest rating of the training
subjects, and of nobody else.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline_lib.core.schema import REACTIONS, TARGETS

Floats = npt.NDArray[np.float64]

SCALES = {"amigos": (1.0, 9.0), "deap": (1.0, 9.0), "hume_reaction": (0.0, 1.0)}  # of ratings


def names(layout: str) -> tuple[str, ...]:
    """The targets of a data set, in the order of a model's outputs."""
    return REACTIONS if layout == "hume_reaction" else TARGETS


def labels(ratings: pl.DataFrame, recording_ids: Sequence[str], targets: Sequence[str]) -> Floats:
    """Ratings (n_recordings, n_targets) as given, of schema.RATINGS; NaN where there is none."""
    wide = pl.DataFrame({"recording_id": recording_ids}, schema={"recording_id": pl.String})
    for target in targets:
        of_it = ratings.filter(name=target).select("recording_id", pl.col("value").alias(target))
        wide = wide.join(of_it, on="recording_id", how="left", validate="1:1")
    found = wide.select(pl.col(targets).cast(pl.Float64).fill_null(float("nan")))
    values: Floats = found.to_numpy().reshape(len(recording_ids), len(targets))
    return values


def scaled(given: Floats, trained: Floats, *, layout: str) -> Floats:
    """Ratings (n, n_targets) brought to 0-1, as do the training subjects' (m, n_targets)."""
    if layout in SCALES:
        low, high = (np.full(given.shape[1], edge) for edge in SCALES[layout])
    else:
        low, high = trained.min(axis=0), trained.max(axis=0)
    brought: Floats = (given - low) / np.where(high > low, high - low, 1.0)
    return brought
