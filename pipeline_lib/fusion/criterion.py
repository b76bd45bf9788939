"""What chooses the epoch: the mean correlation over targets (ViPER 4)."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def mean_pearson(labels: Floats, scores: Floats) -> float:
    """Mean over columns of Pearson's correlation of labels and scores, each (n, n_targets).

    A column that is constant, on either side, counts as 0.
    """
    x, y = (z - z.mean(axis=0) for z in (labels, scores))
    spread = np.sqrt((x**2).sum(axis=0) * (y**2).sum(axis=0))
    constant = (np.ptp(labels, axis=0) == 0) | (np.ptp(scores, axis=0) == 0)
    return float(
        np.where(constant, 0.0, (x * y).sum(axis=0) / np.where(constant, 1, spread)).mean()
    )
