"""Hand-crafted features of a face: mean and standard deviation of what was seen (StressID).

Units: AU*_r 0-5, AU*_c 0-1 (its mean is the share of frames that show it), gaze vectors 1, gaze
angles rad.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def visual_features(visual: npt.NDArray[np.floating], *, names: Sequence[str]) -> dict[str, float]:
    """visual_<name>_mean and visual_<name>_std over the frames with a face.

    visual : (n_frames, n_features) of schema.FEATURES, NaN where no face was seen
    names  : of the columns, schema.VISUAL[...]

    Without a single face all features are NaN, with one the deviations are.
    """
    faces = visual[~np.isnan(visual).any(axis=1)].astype(np.float64)
    if faces.size == 0:
        faces = np.full((1, len(names)), np.nan)
    deviations = faces.std(axis=0) if len(faces) > 1 else np.full(len(names), np.nan)
    return {
        f"visual_{name}_{statistic}": float(value)
        for statistic, values in (("mean", faces.mean(axis=0)), ("std", deviations))
        for name, value in zip(names, values, strict=True)
    }
