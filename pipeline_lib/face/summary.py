"""Hand-crafted features of a face: mean and standard deviation of what was seen (StressID)."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def visual_features(visual: npt.NDArray[np.floating], *, names: Sequence[str]) -> dict[str, float]:
    """visual_<name>_mean and visual_<name>_std over the frames with a face.

    visual : (n_frames, n_features) of schema.FEATURES, NaN where no face was seen
    names  : of the columns, schema.VISUAL[...]

    Without a single face all features are NaN.
    """
    faces = visual[~np.isnan(visual).any(axis=1)].astype(np.float64)
    if faces.size == 0:
        faces = np.full((1, len(names)), np.nan)
    return {
        f"visual_{name}_{statistic}": float(value)
        for statistic, values in (("mean", faces.mean(axis=0)), ("std", faces.std(axis=0)))
        for name, value in zip(names, values, strict=True)
    }
