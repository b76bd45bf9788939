"""Which frames make up the clips of a recording."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def clip_times(times: Floats, *, window_start: float, seconds: float, n_frames: int) -> Floats:
    """Times at which the frames of each whole clip should be taken: (n_clips, n_frames), s.

    times        : (n,) s, of the frames there are, rising
    window_start : s; the first clip starts here, or at the first frame if that is later
    seconds      : length of a clip; its frames are evenly spaced from its start on

    A clip is whole if it lacks less than half the distance between its frames.
    """
    spacing = seconds / n_frames
    start = max(window_start, float(times[0]))
    lasts = float(times[-1]) + _frame_duration(times) - start
    n_clips = max(int((lasts + spacing / 2) // seconds), 0)
    return start + spacing * np.arange(n_clips * n_frames, dtype=float).reshape(-1, n_frames)


def nearest(times: Floats, targets: Floats) -> Ints:
    """Indices of the times nearest to the targets (any shape); times rise."""
    middles = (times[1:] + times[:-1]) / 2
    return np.searchsorted(middles, targets)


def _frame_duration(times: Floats) -> float:
    return float((times[-1] - times[0]) / (len(times) - 1)) if len(times) > 1 else 0.0
