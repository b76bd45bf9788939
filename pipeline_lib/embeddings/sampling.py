"""Which frames and which fragments of sound stand for a clip (ViPER 3.1, 3.2 and 4)."""

from typing import Literal

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Fragmenting = Literal["paper", "code"]


def frame_indices(n_frames: int, n: int) -> Ints:
    """Choose n frames: 0, round(c F / (n - 1)) for c = 1 ... n - 2, F - 1.

    n_frames : F, frames that decode, at least 1
    n        : to choose, at least 2
    returns  : (n,) rising indices; of too few frames the nearest are repeated

    The inner ones are counted in F, not in F - 1, as in the published code.
    """
    inner = np.round(np.arange(1, n - 1) * n_frames / (n - 1)).astype(np.int64)
    return np.array([0, *inner, n_frames - 1]).clip(0, n_frames - 1)


def fragments(*, duration: float, n: int, fragmenting: Fragmenting) -> Floats:
    """Cut a clip's sound into n fragments.

    duration    : s
    fragmenting : paper: without overlap, each centred on a frame, the first beginning and the
                  last ending there, which are half as long | code: windows of 2 L / (n + 1), each
                  half a window after the one before
    returns     : (n, 2) s from the first frame, starts and ends
    """
    if fragmenting == "code":
        starts = np.arange(n) * duration / (n + 1)
        return np.stack([starts, starts + 2 * duration / (n + 1)], axis=1)
    spacing = duration / (n - 1)
    centres = np.arange(n) * spacing
    edges = np.stack([centres - spacing / 2, centres + spacing / 2], axis=1)
    return np.asarray(edges.clip(0, duration))


def widened(spans: Floats, *, seconds: float) -> Floats:
    """Spans (n, 2) in s, those shorter than `seconds` made so long around their middle."""
    lacking = (seconds - (spans[:, 1] - spans[:, 0])).clip(0) / 2
    return np.asarray(spans + lacking[:, None] * np.array([-1.0, 1.0]))
