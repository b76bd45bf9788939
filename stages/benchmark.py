"""Time and memory of a training step of MVP, beside the paper's equations in plain PyTorch.

    python -m stages.benchmark [--seconds S S ...] [--steps N]

At `scale: paper`, on the CPU, a batch of as many trials as lengths are given, 8 by default. Each
side runs in a process of its own, from the same weights and on the same recordings, and both must
come to the same gradients. No stage of the DAG: it takes minutes, and the numbers are a machine's.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pipeline_lib.params import load_params

SECONDS = (60.0, 60.0, 65.0, 70.0, 80.0, 90.0, 115.0, 155.0)  # MVP 3.4: 60 to 155, Table 2: 80-odd
SIDES = ("transcription", "ours")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, nargs="+", default=SECONDS, help="of each trial")
    parser.add_argument("--steps", type=int, default=2, help="of which the fastest counts")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        measured = train(arguments.side, arguments.seconds, arguments.steps, arguments.out)
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


def train(side: str, seconds: list[float], steps: int, out: Path) -> dict[str, float]:
    """Take steps on one side; write the gradients of the first, return loss, s and MB."""
    import torch

    from models.layers import MVP
    from models.transcription import Transcription
    from pipeline_lib.training import label_loss
    from pipeline_lib.trials import N_PHYSIO, N_VISUAL, Lengths, stacked

    params = load_params()
    config = params.models["paper"].mvp.model_copy(update={"dropout": 0.0})
    rates = {"fps": params.store.fps, "sampling_rate": params.physio.sampling_rate}
    lengths = Lengths.of(config.max_seconds, **rates)
    torch.manual_seed(params.seed)
    model = MVP(config, lengths)
    each = [Lengths.of(s, **rates) for s in seconds]
    batch = stacked(
        {
            "visual": [torch.randn(n.frames, N_VISUAL).numpy() for n in each],
            "physio": [torch.randn(n.times, N_PHYSIO).numpy() for n in each],
        },
        lengths,
    )
    batch["labels"] = torch.randint(0, 2, (len(each), 2)).float()
    network = model if side == "ours" else Transcription(model)
    optimiser = torch.optim.AdamW(model.parameters(), lr=config.learning_rate)
    before, took, worked, losses = _peak_megabytes(), [], [], []
    for i in range(steps):
        start, worked_before = time.perf_counter(), time.process_time()
        loss = label_loss(network, batch)
        torch.autograd.backward(loss)
        if i == 0:
            torch.save({n: p.grad for n, p in model.named_parameters()}, out)
        optimiser.step()
        optimiser.zero_grad()
        took.append(time.perf_counter() - start)
        worked.append(time.process_time() - worked_before)
        losses.append(loss.item())
    peak = _peak_megabytes()
    return {
        "first_loss": losses[0],
        "last_loss": losses[-1],
        "seconds": min(took),
        "cpu_seconds": min(worked),
        "peak_MB": peak,
        "step_MB": peak - before,
    }


def _peak_megabytes() -> float:
    """The largest memory that this process has held; ru_maxrss counts in KiB on Linux."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())
