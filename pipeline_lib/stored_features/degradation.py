"""Test recordings with a part of one modality taken away: what a system makes of the rest."""

from collections.abc import Callable

import numpy as np
import polars as pl

from pipeline_lib.core import seeds
from pipeline_lib.stored_features.trials import N_PHYSIO, N_VISUAL, Modality

SHARES = (0.25, 0.5, 0.75, 1.0)
WIDTHS: dict[Modality, int] = {"visual": N_VISUAL, "physio": N_PHYSIO}


def mask(features: pl.DataFrame, modality: Modality, share: float, *, seed: int) -> pl.DataFrame:
    """The features with one stretch of each recording missing, as if no face or no electrode.

    features : schema.FEATURES
    share    : of the frames or samples, all channels of which become NaN; the stretch lies anywhere
    """
    width = WIDTHS[modality]
    rng = np.random.default_rng(seeds.derive(seed, round(100 * share)))
    masked = []
    for cell in features[modality]:
        x = np.empty(0, np.float32) if cell is None else cell.to_numpy().copy()
        n_missing = round(share * (len(x) // width))
        start = int(rng.integers(len(x) // width - n_missing + 1))
        x[start * width : (start + n_missing) * width] = np.nan
        masked.append(pl.Series(x, dtype=pl.Float32))
    return features.with_columns(pl.Series(modality, masked, dtype=pl.List(pl.Float32)))


def scores(
    features: pl.DataFrame,
    modalities: tuple[Modality, ...],
    predict: Callable[[pl.DataFrame], pl.DataFrame],
    *,
    seed: int,
) -> pl.DataFrame:
    """What `predict` says of each modality at each of SHARES, with columns `modality`, `share`."""
    return pl.concat(
        predict(mask(features, modality, share, seed=seed)).with_columns(
            pl.lit(modality).alias("modality"), pl.lit(share).alias("share")
        )
        for modality in modalities
        for share in SHARES
    )
