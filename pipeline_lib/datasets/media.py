"""A clip that is a recording of its own: does it decode, and how long does it last?"""

from pathlib import Path

from pipeline_lib.video.decode import packet_times, read_frames


def seconds_of(video: Path) -> float:
    """s from the first frame to the end of the last, as the packets say.

    Raises VideoError, which names the file, unless the first frame decodes.
    """
    next(read_frames(video, indices=[0]))
    times = packet_times(video)
    return float(times[-1]) * len(times) / max(len(times) - 1, 1)
