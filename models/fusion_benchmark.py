"""A training step of a system of `fusion`, at the widths of the papers' encoders."""

import resource
import time
from collections.abc import Mapping

from pipeline_lib import params
from pipeline_lib.core.schema import REACTIONS

# Of a token: ViT's CLS, WavLM's x-vector, RoBERTa's CLS, 20 AUs and 7 emotions.
WIDTHS = {"image_face": 768, "audio": 512, "caption": 768, "fau": 27}


def train(
    config: params.Fusion, *, widths: Mapping[str, int], batch_size: int, steps: int, seed: int
) -> dict[str, float]:
    """Take steps on random tokens; parameters, losses, s of the fastest step, peak MB."""
    import torch

    from models.fusion import build
    from pipeline_lib.learning.training import squared_loss

    torch.manual_seed(seed)
    model = build(config, widths, config.tokens, len(REACTIONS))
    batch = {
        "tokens": torch.randn(batch_size, config.tokens, sum(widths.values())),
        "present": torch.ones(batch_size, config.tokens, len(widths), dtype=torch.bool),
        "labels": torch.rand(batch_size, len(REACTIONS)),
    }
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    took, worked, losses = [], [], []
    for _ in range(steps):
        start, worked_before = time.perf_counter(), time.process_time()
        loss = squared_loss(model, batch)
        torch.autograd.backward(loss)
        optimiser.step()
        optimiser.zero_grad()
        took.append(time.perf_counter() - start)
        worked.append(time.process_time() - worked_before)
        losses.append(loss.item())
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "first_loss": losses[0],
        "last_loss": losses[-1],
        "seconds": min(took),
        "cpu_seconds": min(worked),
        "peak_MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
