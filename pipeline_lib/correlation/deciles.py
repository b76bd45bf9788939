"""Labels against estimates by tenths of the scale (ViPER, Figures 2 and 3)."""

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline_lib.correlation.partition import Partition

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

N_DECILES = 10


def confusion(labels: Floats, scores: Floats) -> Ints:
    """Recordings by decile of label (row) and score: (10, 10) (ViPER, Figures 2 and 3)."""
    counts = np.zeros((N_DECILES, N_DECILES), dtype=np.int64)
    np.add.at(counts, (decile(labels), decile(scores)), 1)
    return counts


def decile(values: Floats) -> Ints:
    """0 for [0, 0.1), ..., 9 for [0.9, 1]; what lies outside goes to the nearest of them."""
    # 0.3 is stored as a little less, and 10 x 0.3 rounds to what is meant.
    found: Ints = np.floor(np.round(N_DECILES * values, 9)).astype(np.int64)
    return found.clip(0, N_DECILES - 1)


def n_outside(scores: Floats) -> int:
    """How many scores lie outside 0 - 1: the estimates have no bounds (ViPER 3.6)."""
    return int(((scores < 0) | (scores > 1)).sum())


def decile_name(i: int) -> str:
    """As the paper writes it: [0.2, 0.3), and [0.9, 1.0]."""
    return f"[{i / N_DECILES:.1f}, {(i + 1) / N_DECILES:.1f}{']' if i == N_DECILES - 1 else ')'}"


def tables(part: Partition) -> dict[str, pl.DataFrame]:
    """Decile of label (actual) and score (predicted) of every recording, by class, for a plot."""
    names = np.array([decile_name(i) for i in range(N_DECILES)])
    return {
        target: pl.DataFrame(
            {
                "actual": names[decile(part.labels[:, i])],
                "predicted": names[decile(part.scores[:, i])],
            }
        )
        for i, target in enumerate(part.targets)
    }
