"""How fast the embedded extractor is beside a plain loop of PyAV and MediaPipe.

    python -m pipeline_lib.face_study.benchmark VIDEO [--seconds 60] [--model FILE]

Real OpenFace runs beside them if FeatureExtraction is on PATH. All run as processes of their own
over the same video, repeated to the wanted length, with start-up counted; first one process, then
two at a time, in turns so that a busy machine slows all alike. Start-up is the time from the call
to the exit over a video of a single frame. Memory is the largest that a process ever held.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline_lib.core import paths
from pipeline_lib.face.feature_extraction import COMMAND
from pipeline_lib.video.decode import frame_times, read_frames
from pipeline_lib.video.encode import write_video

PLAIN, EMBEDDED, OPENFACE = "plain loop", "embedded", "OpenFace"
ALL_GROUPS = ("-2Dfp", "-pose", "-aus", "-gaze", "-q")  # of columns, as openface.options has them
ROUNDS = 2  # of which the faster counts: what else runs on the machine can only slow it

Command = Callable[[Path], list[str]]  # words of a command line, by the folder for its output


@dataclass(frozen=True)
class Cost:
    seconds: float  # from the call to the last exit
    peak: float  # MiB, of the process that held most


def plain_loop(videos: Sequence[Path], model: Path) -> None:
    """Decode every frame and find its face, and do nothing with it."""
    import av
    from mediapipe import Image, ImageFormat
    from mediapipe.tasks.python import BaseOptions
    from mediapipe.tasks.python.vision import FaceLandmarker, FaceLandmarkerOptions, RunningMode

    options = FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(model)),
        running_mode=RunningMode.VIDEO,
        output_face_blendshapes=True,
        output_facial_transformation_matrixes=True,
    )
    for video in videos:
        with FaceLandmarker.create_from_options(options) as landmarker, av.open(video) as container:
            for frame in container.decode(video=0):
                image = Image(image_format=ImageFormat.SRGB, data=frame.to_ndarray(format="rgb24"))
                landmarker.detect_for_video(image, round(1000 * frame.time))


def measure(command: Command, *, n_processes: int) -> Cost:
    """What so many processes cost that run at once; raises RuntimeError if one fails."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        processes = [
            subprocess.Popen(
                command(Path(folder, str(i))), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            for i in range(n_processes)
        ]
        peaks = [_wait(process) for process in processes]
        elapsed = time.perf_counter() - started
        codes = [process.returncode for process in processes]
        if any(codes):
            raise RuntimeError(f"{' '.join(command(Path(folder)))} ended with {codes}")
    return Cost(elapsed, max(peaks))


def _wait(process: subprocess.Popen[bytes]) -> float:
    """Wait for a process to end; returns the most memory that it ever held, in MiB."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    per_mib = 2**20 if sys.platform == "darwin" else 2**10  # macOS counts bytes, Linux KiB
    return usage.ru_maxrss / per_mib


def programs(videos: Sequence[Path], model: Path) -> dict[str, Command]:
    """The command line of each program that is to be compared, over these videos."""
    inputs = [
        word for i, video in enumerate(videos) for word in ("-f", str(video), "-of", f"{i}.csv")
    ]
    commands: dict[str, Command] = {
        PLAIN: lambda _: _python(__spec__.name, "--plain", "--model", model, *videos),
        EMBEDDED: lambda out: _python(
            COMMAND, *ALL_GROUPS, "-model", model, *inputs, "-out_dir", out
        ),
    }
    if found := shutil.which("FeatureExtraction"):
        commands[OPENFACE] = lambda out: [found, *ALL_GROUPS, *inputs, "-out_dir", str(out)]
    return commands


def first_frame(video: Path, folder: Path) -> Path:
    """Write a video of this one's first frame."""
    path = folder / "first_frame.mp4"
    write_video(path, [next(read_frames(video)).rgb], frame_rate=25)
    return path


def compare(commands: Mapping[str, Command], *, n_processes: int) -> dict[str, Cost]:
    """The cheapest of several rounds of each program."""
    rounds = [
        {name: measure(command, n_processes=n_processes) for name, command in commands.items()}
        for _ in range(ROUNDS)
    ]
    return {name: min((r[name] for r in rounds), key=lambda c: c.seconds) for name in commands}


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog=f"python -m {__spec__.name}", description=__doc__)
    parser.add_argument("videos", type=Path, nargs="+")
    parser.add_argument("--seconds", type=float, default=60.0, help="of video for each process")
    parser.add_argument("--model", type=Path, help="face_landmarker.task")
    parser.add_argument("--plain", action="store_true", help="run the plain loop, no comparison")
    options = parser.parse_args(arguments)
    model = options.model or paths.asset("face_landmarker")
    if options.plain:
        plain_loop(options.videos, model)
        return
    times = [frame_times(video) for video in options.videos]
    repeats = max(round(options.seconds / sum(t[-1] for t in times)), 1)
    commands = programs(options.videos * repeats, model)
    with tempfile.TemporaryDirectory() as folder:
        single = first_frame(options.videos[0], Path(folder))
        start_up = compare(programs([single], model), n_processes=1)
    one, two = (compare(commands, n_processes=n) for n in (1, 2))
    sys.stdout.write(report(one, two, start_up, n_frames=repeats * sum(map(len, times))))


def report(
    one: Mapping[str, Cost],
    two: Mapping[str, Cost],
    start_up: Mapping[str, Cost],
    *,
    n_frames: int,
) -> str:
    """A table of what the programs cost, with one and with two processes, and its ratios."""
    columns = "".join(
        f"{title:>14}" for title in ("1 process", "2 processes", "start-up", "memory")
    )
    lines = [f"{n_frames} frames a process", " " * 12 + columns]
    for name in one:
        speeds = (n_frames / one[name].seconds, 2 * n_frames / two[name].seconds)
        lines.append(
            f"{name:12}{speeds[0]:>10.1f} fps{speeds[1]:>10.1f} fps"
            f"{start_up[name].seconds:>12.2f} s{one[name].peak:>10.0f} MiB"
        )
    ratio = one[PLAIN].seconds / one[EMBEDDED].seconds
    tracking = {name: one[name].seconds - start_up[name].seconds for name in (PLAIN, EMBEDDED)}
    lines.append(
        f"embedded to plain loop: {ratio:.2f}, start-up left out "
        f"{tracking[PLAIN] / tracking[EMBEDDED]:.2f}; two processes to one: "
        f"{2 * one[EMBEDDED].seconds / two[EMBEDDED].seconds:.2f}"
    )
    return "\n".join(lines) + "\n"


def _python(module: str, *arguments: object) -> list[str]:
    return [sys.executable, "-m", module, *map(str, arguments)]


if __name__ == "__main__":
    main(sys.argv[1:])
