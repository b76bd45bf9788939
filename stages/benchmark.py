"""Time and memory of a training step of MVP, beside the paper's equations in plain PyTorch.

    python -m stages.benchmark [--seconds S S ...] [--steps N]

At `scale: paper`, on the CPU, a batch of as many trials as lengths are given, 8 by default. Each
side runs in a process of its own, from the same weights and on the same recordings, and both must
come to the same gradients. No stage of the DAG: it takes minutes, and the numbers are a machine's.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from models.step_benchmark import SIDES, train
from pipeline_lib.params import load_params

SECONDS = (60.0, 60.0, 65.0, 70.0, 80.0, 90.0, 115.0, 155.0)  # MVP 3.4: 60 to 155, Table 2: 80-odd


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, nargs="+", default=SECONDS, help="of each trial")
    parser.add_argument("--steps", type=int, default=2, help="of which the fastest counts")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        measured = train(
            arguments.side,
            arguments.seconds,
            steps=arguments.steps,
            out=arguments.out,
            params=load_params(),
        )
        sys.stdout.write(json.dumps(measured))
        return 0
    return compare(arguments.seconds, arguments.steps)


def compare(seconds: list[float], steps: int) -> int:
    """Run both sides, print what they took; 1 if their gradients differ."""
    import torch

    with tempfile.TemporaryDirectory() as folder:
        outs = {side: Path(folder, side) for side in SIDES}
        found = {side: _run(side, seconds, steps, out) for side, out in outs.items()}
        theirs, ours = (torch.load(outs[side]) for side in SIDES)
    largest = max(x.abs().max().item() for x in theirs.values())
    apart = max((ours[name] - x).abs().max().item() for name, x in theirs.items())
    for side, measured in found.items():
        said = ", ".join(f"{name} {value:.4g}" for name, value in measured.items())
        sys.stdout.write(f"{side:14} {said}\n")
    for name in ("seconds", "cpu_seconds", "peak_MB", "step_MB"):
        ratio = found["ours"][name] / found["transcription"][name]
        sys.stdout.write(f"ours / transcription, {name}: {ratio:.2f}\n")
    sys.stdout.write(f"gradients differ by {apart:.2g} at most, of {largest:.2g}\n")
    return 0 if apart < 1e-3 * largest else 1


def _run(side: str, seconds: list[float], steps: int, out: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "stages.benchmark", "--side", side, "--out", str(out)]
    done = subprocess.run(
        [*command, "--steps", str(steps), "--seconds", *map(str, seconds)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


if __name__ == "__main__":
    sys.exit(main())
