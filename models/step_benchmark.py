"""A training step of MVP at the size of the paper, in our code or in `models.transcription`."""

import resource
import time
from collections.abc import Sequence
from pathlib import Path

from pipeline_lib.params import Params

SIDES = ("transcription", "ours")


def train(
    side: str, seconds: Sequence[float], *, steps: int, out: Path, params: Params
) -> dict[str, float]:
    """Take steps on one of SIDES; write the gradients of the first, return loss, s and MB.

    seconds : s, length of each trial of the batch
    """
    import torch

    from models.layers import MVP
    from models.transcription import Transcription
    from pipeline_lib.learning.training import label_loss
    from pipeline_lib.stored_features.trials import N_PHYSIO, N_VISUAL, Lengths, stacked

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
