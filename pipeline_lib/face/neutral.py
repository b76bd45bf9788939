"""From the measures of a whole recording to intensities and presences of action units.

OpenFace takes a low percentile of a person's recording for neutral, and so does this: per unit,
and inside the limits that faces at rest keep. Somebody who smiles all the time therefore keeps the
part of the smile that no resting face has, a single frame is held against the limits alone, and
nothing is needed of a recording but one frame.
"""

import numpy as np
import numpy.typing as npt

from pipeline_lib.face.action_units import UNITS

Floats = npt.NDArray[np.float64]

FULL_INTENSITY = 5.0
RESTING_COEFFICIENT = 0.15  # a neutral face has no higher one of MediaPipe's

# s to either side. At 30 frames/s the first is 3 frames, as in OpenFace; the second is 5, of which
# a blink fills most, where OpenFace takes 7.
INTENSITY_WINDOW = 0.045
PRESENCE_WINDOW = 0.075

_AT_REST = np.array([unit.at_rest for unit in UNITS.values()])
_WORTH = np.array([(unit.per_cm, unit.per_coefficient) for unit in UNITS.values()])
_PRESENT_FROM = np.array([unit.present_from for unit in UNITS.values()])


def neutral(measures: npt.NDArray[np.floating]) -> Floats:
    """The person's neutral face (18, 2), of the measures of all frames with a face (n, 18, 2)."""
    quantiles = [
        np.quantile(measures[:, i], unit.quantile, axis=0) for i, unit in enumerate(UNITS.values())
    ]
    shapes, coefficients = np.array(quantiles, dtype=np.float64).T
    return np.stack([shapes.clip(*_AT_REST.T), coefficients.clip(0.0, RESTING_COEFFICIENT)], axis=1)


def score(measures: npt.NDArray[np.floating], times: Floats) -> tuple[Floats, Floats]:
    """Intensities (n, 18), 0-5, and presences (n, 18), 0 or 1, of all frames with a face.

    measures : (n, 18, 2) of face.action_units, n > 0
    times    : (n,), s, ascending
    """
    strengths = np.einsum("nus,us->nu", measures - neutral(measures), _WORTH)
    strengths = strengths.clip(0.0, FULL_INTENSITY)
    present = (strengths >= _PRESENT_FROM).astype(np.float64)
    return (
        _smooth(strengths, times, INTENSITY_WINDOW),
        (_smooth(present, times, PRESENCE_WINDOW) >= 0.5).astype(np.float64),
    )


def _smooth(values: Floats, times: Floats, window: float) -> Floats:
    """Mean over the frames within so many s to either side: (n, n_series)."""
    first = np.searchsorted(times, times - window)
    last = np.searchsorted(times, times + window, side="right")
    sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    # Differences of sums leave rounding errors where a unit is 0.
    means: Floats = (sums[last] - sums[first]) / (last - first)[:, None]
    return means.clip(0.0, FULL_INTENSITY).round(9)
