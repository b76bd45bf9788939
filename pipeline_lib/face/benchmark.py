"""How fast the embedded extractor is beside a plain loop of PyAV and MediaPipe.

    python -m pipeline_lib.face.benchmark VIDEO [--seconds 60] [--model FILE]

Both run as processes of their own over the same video, repeated to the wanted length, with
start-up counted; first one process, then two at a time, in turns so that a busy machine slows
both alike.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from pipeline_lib import paths
from pipeline_lib.face.feature_extraction import COMMAND
from pipeline_lib.video.decode import frame_times

ROUNDS = 2  # of which the faster counts: what else runs on the machine can only slow it


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


def measure(command: Callable[[Path], list[str]], *, n_processes: int, n_frames: int) -> float:
    """Frames/s of so many processes at once, each over n_frames."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        processes = [
            subprocess.Popen(command(Path(folder, str(i))), stderr=subprocess.DEVNULL)
            for i in range(n_processes)
        ]
        codes = [process.wait() for process in processes]
        elapsed = time.perf_counter() - started
    if any(codes):
        raise RuntimeError(f"{' '.join(command(Path(folder)))} ended with {codes}")
    return n_processes * n_frames / elapsed


def compare(videos: Sequence[Path], model: Path, *, n_frames: int) -> dict[tuple[str, int], float]:
    """Frames/s by program and number of processes."""
    files = [word for video in videos for word in ("-f", str(video))]
    names = [word for i in range(len(videos)) for word in ("-of", str(i))]
    commands: dict[str, Callable[[Path], list[str]]] = {
        "plain loop": lambda _: _python(__spec__.name, "--plain", "--model", model, *videos),
        "embedded": lambda out: _python(
            COMMAND, "-q", "-model", model, *files, *names, "-out_dir", out
        ),
    }
    fastest: dict[tuple[str, int], float] = {}
    for n_processes in (1, 2):
        for _ in range(ROUNDS):
            for name, command in commands.items():
                speed = measure(command, n_processes=n_processes, n_frames=n_frames)
                key = (name, n_processes)
                fastest[key] = max(speed, fastest.get(key, 0.0))
    return fastest


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
    n_frames = repeats * sum(map(len, times))
    speeds = compare(options.videos * repeats, model, n_frames=n_frames)
    sys.stdout.write(_report(speeds, n_frames=n_frames))


def _report(speeds: dict[tuple[str, int], float], *, n_frames: int) -> str:
    ratio = speeds["embedded", 1] / speeds["plain loop", 1]
    scaling = speeds["embedded", 2] / speeds["embedded", 1]
    lines = [f"{'frames/s':12}{'1 process':>12}{'2 processes':>14}   ({n_frames} frames each)"]
    for name in ("plain loop", "embedded"):
        lines.append(f"{name:12}{speeds[name, 1]:>12.1f}{speeds[name, 2]:>14.1f}")
    lines.append(f"embedded to plain loop: {ratio:.2f}; two processes to one: {scaling:.2f}")
    return "\n".join(lines) + "\n"


def _python(module: str, *arguments: object) -> list[str]:
    return [sys.executable, "-m", module, *map(str, arguments)]


if __name__ == "__main__":
    main(sys.argv[1:])
