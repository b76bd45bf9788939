"""When the videos of a session began, by its Status channel, and which trial each one was.

Status codes: 1 start, then baseline, then rating screens; 2 sync screen; 3 fixation; 4 start of the
60 s video; 5 fixation after it; 7 end.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from pipeline_lib.datasets.deap.presentations import Presentation
from pipeline_lib.recordings import Floats

START_OF_VIDEO = 4
CODE = 0xFF  # the bits of the code; those above it belong to the amplifier, and change at any time
# Of Start_time [?]: the readme says microseconds; Presentation, which logged it, counts in 0.1 ms.
UNITS = (1e-6, 1e-4)  # s
TOLERANCE = 1.0  # s, between two clocks within an hour; trials differ by more in their ratings


def find_onsets(status: npt.NDArray[np.int32]) -> npt.NDArray[np.intp]:
    """(n_onsets,) samples at which the code becomes START_OF_VIDEO."""
    shown = status & CODE == START_OF_VIDEO
    return np.flatnonzero(shown[1:] & ~shown[:-1]) + 1


def assign(onsets: Floats, rows: Mapping[int, Presentation]) -> dict[int, float]:
    """Give trials their onsets, by trial; {} if it cannot be told whose they are.

    onsets : (n_onsets,) s, rising
    rows   : of one participant, by trial

    The kth onset is the kth trial's. If there are more or fewer of them than trials, those are
    matched whose distances agree with Start_time, provided that there is but one way.
    """
    trials = sorted(rows)
    if len(onsets) == len(trials):
        return dict(zip(trials, onsets.tolist(), strict=True))
    starts = np.array([rows[trial].start for trial in trials])
    if not 1 < len(onsets) <= 2 * len(trials) or not _rises(starts):
        return {}
    ways = {way for unit in UNITS for way in _ways(onsets, starts * unit)}
    if len(ways) != 1:
        return {}
    return {trials[trial]: float(onsets[onset]) for onset, trial in ways.pop()}


def _rises(times: Floats) -> bool:
    return bool(np.isfinite(times).all() and (np.diff(times) > 0).all())


def _ways(onsets: Floats, starts: Floats) -> Iterator[tuple[tuple[int, int], ...]]:
    """Each way to shift one clock so that all of the fewer times agree with some of the others.

    Yields the pairs of places, (onset, start).
    """
    fewer, more = sorted((onsets, starts), key=len)
    for anchor in more[: len(more) - len(fewer) + 1]:
        shifted = fewer - fewer[0] + anchor
        nearest = np.searchsorted((more[1:] + more[:-1]) / 2, shifted)
        if np.abs(more[nearest] - shifted).max() <= TOLERANCE and (np.diff(nearest) > 0).all():
            pairs = zip(range(len(fewer)), nearest.tolist(), strict=True)
            yield tuple(pairs if fewer is onsets else ((there, here) for here, there in pairs))
