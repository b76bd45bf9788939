"""The clock of a video, from the times that its packets announce: nothing is decoded."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline_lib.video.decode import packet_times, probe

Floats = npt.NDArray[np.float64]

TOLERANCE = 0.1  # of the period, by which an interval may differ from a multiple of it


@dataclass(frozen=True)
class Timing:
    """How a video's frames follow each other. The period is the median interval between frames."""

    n_frames: int
    frame_rate: float | None  # Hz, one over the period; None of a single frame
    jitter: float | None  # s, standard deviation of the intervals less their whole periods
    constant: bool | None  # every interval is a whole number of periods
    dropped: int  # frames that would fill the gaps of two periods and more
    duplicated: int  # frames with the time of the one before
    video_seconds: float  # from the first frame to the end of the last


def video_timing(path: Path) -> tuple[Timing, str]:
    """The timing of a video, and in a sentence what the headers say otherwise; "" if nothing.

    Raises VideoError if it cannot be read.
    """
    announced = probe(path)
    timing = measure(packet_times(path))
    problems = []
    if announced.n_frames is not None and announced.n_frames != timing.n_frames:
        problems.append(f"{timing.n_frames} of {announced.n_frames} announced frames are there")
    nominal = announced.frame_rate
    if nominal and timing.frame_rate and abs(nominal / timing.frame_rate - 1) > TOLERANCE:
        problems.append(f"{timing.frame_rate:.4g} Hz, announced as {nominal:.4g} Hz")
    return timing, "; ".join(problems)


def measure(times: Floats) -> Timing:
    """The timing of frames at these times, (n_frames,) s, in order."""
    intervals = np.diff(times)
    steps = intervals[intervals > 0]
    n_duplicated = int((intervals == 0).sum())
    if not steps.size:
        return Timing(len(times), None, None, None, 0, n_duplicated, 0.0)
    period = float(np.median(steps))
    n_periods = np.maximum(np.round(steps / period), 1)
    astray = steps - n_periods * period
    return Timing(
        n_frames=len(times),
        frame_rate=1 / period,
        jitter=float(astray.std()),
        constant=bool((np.abs(astray) <= TOLERANCE * period).all()),
        dropped=int((n_periods - 1).sum()),
        duplicated=n_duplicated,
        video_seconds=float(times[-1] - times[0]) + period,
    )
