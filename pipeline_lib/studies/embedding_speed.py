"""How fast clips are embedded beside a plain loop, and when seeking beats reading from the start.

    python -m pipeline_lib.studies.embedding_speed VIDEO [--rounds 4] [--backend B --model M
        --size PX]

The plain loop decodes every frame to a picture, then sends the sampled ones through the same
network one at a time. Both run in this process, in turns, on one thread; seconds are of the
processor, which other work on the machine slows least, and the fastest round counts. Then the
frames of VIDEO are encoded anew with more and fewer keyframes, for a short and a long clip, and
the sampled frames are fetched in either way; `chosen` is what the pipeline does.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline_lib.core import paths
from pipeline_lib.embeddings import frames, image
from pipeline_lib.embeddings.sampling import frame_indices
from pipeline_lib.params import ImageEncoder
from pipeline_lib.video import seek
from pipeline_lib.video.decode import read_frames

N = 32  # sampled frames
KEYFRAMES = (1, 12, 60, 250)  # frames from one to the next
SECONDS = (12, 60)  # of the clips
FRAME_RATE = 30  # Hz


def plain_loop(video: Path, network: image.Network) -> image.Floats32:
    """(N, width): decode everything, then one frame at a time through the network."""
    import av

    with av.open(str(video)) as container:
        pictures = [
            Image.fromarray(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)
        ]
    chosen = frame_indices(len(pictures), N)
    return np.concatenate([network.encode([network.prepare(pictures[i])]) for i in chosen])


def embedded(video: Path, network: image.Network) -> image.Floats32:
    """(N, width), as the stage does it."""
    found = image.sample_pictures(video, N, network, None)
    return image.in_batches(network, [picture for picture, _ in found.items])[found.places]


def seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def compare(video: Path, network: image.Network, *, rounds: int) -> dict[str, float]:
    """s a clip, of the loop and of ours; raises RuntimeError if they differ."""
    if not np.allclose(plain_loop(video, network), embedded(video, network), atol=1e-3):
        raise RuntimeError(f"{video}: the tokens of the two ways differ")
    times: dict[str, list[float]] = {"plain loop": [], "embedded": []}
    for _ in range(rounds):
        times["plain loop"].append(seconds(lambda: plain_loop(video, network)))
        times["embedded"].append(seconds(lambda: embedded(video, network)))
    return {name: min(found) for name, found in times.items()}


def reach(video: Path, *, rounds: int) -> tuple[float, float, bool, tuple[int, int]]:
    """s to fetch the sampled frames by reading and by seeking, the choice, frames and seeks."""
    where = seek.layout(video)
    indices = np.unique(frame_indices(len(where.ticks), N))
    read = min(seconds(lambda: list(read_frames(video, indices=indices))) for _ in range(rounds))
    sought = min(
        seconds(lambda: list(seek.read_by_seeking(video, where, indices))) for _ in range(rounds)
    )
    counted = seek.decoded_by_seeking(indices, where.keyframes)
    return read, sought, frames.pays_to_seek(where, indices), counted


def _encode(path: Path, pictures: Iterator[Image.Image], *, keyframes: int) -> Path:
    import av

    options = {"preset": "ultrafast", "bf": "2", "g": str(keyframes), "threads": "1"}
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FRAME_RATE, options=options)
        stream.pix_fmt = "yuv420p"
        for i, picture in enumerate(pictures):
            if i == 0:
                stream.width, stream.height = picture.size
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(picture), "rgb24")))
        container.mux(stream.encode())
    return path


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("video", type=Path)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--backend", default="efficientnet_lite")
    parser.add_argument("--model", default=None)
    parser.add_argument("--size", type=int, default=None)
    parsed = parser.parse_args(arguments)
    import torch

    torch.set_num_threads(1)
    model = parsed.model or str(paths.asset("efficientnet_lite0"))
    config = ImageEncoder(backend=parsed.backend, model=model, crop=False, size=parsed.size)
    costs = compare(parsed.video, image.load(config), rounds=parsed.rounds)
    say = sys.stdout.write
    for name, cost in costs.items():
        say(f"{name:12} {cost:7.3f} s a clip {1 / cost:7.2f} clips/s\n")
    say(f"{'gain':12} {costs['plain loop'] / costs['embedded']:7.2f}\n\n")
    say("clip  keyframe  by reading  by seeking  frames decoded, seeks  chosen\n")
    pictures = [Image.fromarray(frame.rgb) for frame in islice(read_frames(parsed.video), 300)]
    with tempfile.TemporaryDirectory() as folder:
        for length in SECONDS:
            for keyframes in KEYFRAMES:
                path = Path(folder, f"{length}-{keyframes}.mp4")
                _encode(path, islice(cycle(pictures), length * FRAME_RATE), keyframes=keyframes)
                read, sought, seeks, counted = reach(path, rounds=parsed.rounds)
                say(
                    f"{length:3} s  {keyframes:8}  {read:8.3f} s  {sought:8.3f} s  "
                    f"{counted[0]:14}, {counted[1]:5}  {'seeking' if seeks else 'reading'}\n"
                )


if __name__ == "__main__":
    main(sys.argv[1:])
