"""Estimates of seven intensities by formula, for tests and for looking at the report."""

import numpy as np
import polars as pl

from pipeline_lib.core.schema import ESTIMATES
from pipeline_lib.datasets.hume_reaction.tables import CLASSES


def estimates(noise, *, seed=0, n=60, classes=CLASSES, gain=None):
    """ESTIMATES of `n` clips, and of two more whose labels are withheld.

    noise : standard deviation beside what the system knows of labels that spread by 0.29; it is a
            little less where the epoch was chosen on what is reported
    gain  : class -> how much of it the system sees, 1 if it is not there
    """
    labels = np.random.default_rng(99).random((n, len(classes)))
    draw = np.random.default_rng(seed).normal(size=labels.shape)
    gains = np.array([(gain or {}).get(name, 1.0) for name in classes])
    rows = []
    for selection, share in (("held_out", 1.0), ("reported", 0.9)):
        scores = 0.4 + gains * (labels - 0.5) / 2 + share * noise / 2 * draw
        for i in range(n + 2):
            known = i < n
            rows += [
                {
                    "recording_id": f"{i:05d}",
                    "subject": f"{i:05d}",
                    "fold": 0,
                    "role": "test" if known else "withheld",
                    "selection": selection,
                    "target": name,
                    "value": float(labels[i, j]) if known else None,
                    "score": float(scores[i, j]) if known else 0.5,
                }
                for j, name in enumerate(classes)
            ]
    return pl.DataFrame(rows, schema=dict(ESTIMATES), orient="row")
