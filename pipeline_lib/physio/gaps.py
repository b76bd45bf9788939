"""Signals of which a part was not recorded: NaN or infinite samples."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

MIN_SECONDS = 3.0  # recorded; shorter signals have neither two beats nor a response


def fill(x: Floats) -> tuple[Floats, Bools]:
    """Join the ends of each gap by a straight line, so that filters can run over it.

    x : (n_times,), at least one sample finite

    Returns the filled signal and `observed`, both (n_times,), False where a sample was made up.
    """
    observed = np.isfinite(x)
    if observed.all():
        return x, observed
    times = np.arange(x.size)
    return np.interp(times, times[observed], x[observed]), observed


def readable(x: Floats, sampling_rate: float) -> bool:
    """Whether enough of a signal (n_times,) was recorded, and it moves at all."""
    recorded = x[np.isfinite(x)]
    return recorded.size >= max(2.0, MIN_SECONDS * sampling_rate) and bool(np.ptp(recorded) > 0)
