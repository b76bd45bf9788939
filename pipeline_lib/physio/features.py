"""Hand-crafted features of the heart and of skin conductance, for classic classifiers.

A feature that a signal does not have (too short, flat, no beats, not recorded) is NaN;
docs/features.md has the unit, the source and the shortest recording of each.
"""

import math

import numpy as np
import polars as pl

from pipeline_lib.physio import gaps
from pipeline_lib.physio.heart import HEART_FEATURES, heart_features
from pipeline_lib.physio.skin import EDA_FEATURES, skin_features


def physio_features(rows: pl.DataFrame) -> dict[str, float]:
    """Features of one recording, from its rows of schema.PHYSIO (at most one heart channel)."""
    features = dict.fromkeys((*HEART_FEATURES, *EDA_FEATURES), math.nan)
    columns = rows.select("channel", "unit", "sampling_rate", "samples")
    for channel, unit, rate, samples in columns.iter_rows():
        x = np.array(samples, np.float64)
        if not gaps.readable(x, rate):
            continue
        if channel == "EDA":
            features |= skin_features(x, rate, in_microsiemens=unit == "uS")
        else:
            features |= heart_features(x, rate, channel=channel)
    return features
