"""Memory and CPU time per frame of the embedded extractor over one long video.

    python -m pipeline_lib.face_study.memory VIDEO [--minutes 30] [--fps 5] [--model FILE]

The video is repeated to the wanted length, without encoding it again, and extracted in this
process; a row of the curve is the mean of one part of it. Linux only: it reads /proc.
"""

import argparse
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from pipeline_lib.core import paths
from pipeline_lib.face.feature_extraction import measure
from pipeline_lib.face.landmarker import Face
from pipeline_lib.face.openface_csv import GROUPS, write_csv
from pipeline_lib.face.second_pass import with_action_units
from pipeline_lib.face.tracking import follower

N_PARTS = 15  # rows of the printed curve


@dataclass(frozen=True)
class Moment:
    """After one row of the CSV."""

    video: float  # s, of the frame
    busy: float  # s, of computing by all threads, which other programs do not slow
    rss: float  # MiB


def repeat(video: Path, out: Path, *, seconds: float) -> None:
    """Write a video's frames again and again, as they are encoded, up to this length."""
    import av

    with av.open(out, "w", format="matroska") as written:
        stream, end = None, 0.0
        while end < seconds:
            start = end
            with av.open(video) as container:
                source = container.streams.video[0]
                assert source.time_base is not None
                assert source.duration is not None
                stream = stream or written.add_stream_from_template(source)
                shift = round(start / source.time_base)
                for packet in container.demux(source):
                    if packet.size and packet.pts is not None and packet.dts is not None:
                        packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                        packet.stream = stream
                        written.mux(packet)
                end = start + float(source.duration * source.time_base)


def curve(video: Path, model: Path, *, fps: float | None) -> list[Moment]:
    """Extract a video and note after every frame, and at the end, the time and the memory."""
    moments: list[Moment] = []

    def note(video: float) -> None:
        moments.append(Moment(video, time.process_time(), _rss()))

    def watched(
        frames: Iterable[tuple[Mapping[str, float], Face | None]],
    ) -> Iterator[tuple[Mapping[str, float], Face | None]]:
        for row, face in frames:
            note(row["timestamp"])
            yield row, face

    with TemporaryDirectory() as folder, follower(model, quiet=True) as follow:
        rows = with_action_units(watched(measure(video, follow, fps=fps)))
        write_csv(rows, Path(folder, "long.csv"), options=GROUPS)
        note(moments[-1].video)
    return moments


def report(moments: Sequence[Moment], *, n_parts: int = N_PARTS) -> str:
    """The curve in words: time in the video, resident memory, ms of CPU a frame, by part."""
    lines = [f"{'to minute':>10}{'frames':>8}{'RSS, MiB':>10}{'CPU ms/frame':>14}"]
    parts = np.array_split(np.arange(len(moments)), n_parts)
    for part in (part for part in parts if len(part) > 1):
        first, last = moments[part[0]], moments[part[-1]]
        rss = max(moments[i].rss for i in part)
        speed = 1000 * (last.busy - first.busy) / (len(part) - 1)
        lines.append(f"{last.video / 60:>10.1f}{len(part):>8}{rss:>10.0f}{speed:>14.1f}")
    return "\n".join(lines) + "\n"


def _rss() -> float:
    """Resident memory of this process in MiB."""
    status = Path("/proc/self/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog=f"python -m {__spec__.name}", description=__doc__)
    parser.add_argument("video", type=Path)
    parser.add_argument("--minutes", type=float, default=30.0, help="length of the long video")
    parser.add_argument("--fps", type=float, help="Hz, as the extractor's -fps; default: all")
    parser.add_argument("--model", type=Path, help="face_landmarker.task")
    options = parser.parse_args(arguments)
    model = options.model or paths.asset("face_landmarker")
    with TemporaryDirectory() as folder:
        long = Path(folder, "long.mkv")
        repeat(options.video, long, seconds=60 * options.minutes)
        sys.stdout.write(report(curve(long, model, fps=options.fps)))


if __name__ == "__main__":
    main(sys.argv[1:])
