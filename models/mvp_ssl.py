"""MVP after self-supervised pre-training of its physiological backbone; future work of MVP 6.

The paper announces "a dedicated pre-training technique" and no more. What differs from MVP, all of
it our own design [?]: before training, spans of both signals are hidden, and the backbone learns to
fill them in. As in a masked autoencoder (He et al., CVPR 2022) the loss counts hidden samples only;
unlike there, hidden samples stay in the input as zeros, the mean, for a convolution cannot leave
them out. Each token fills in its own stretch of the recording, so that tokens come to mean times.
Pre-training sees the training subjects of the fold, those of their recordings included that lack
video or a label. Nothing is kept of the decoder.
"""

import math
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import torch
from torch import Tensor, nn

from models.layers import MVP, Backbone, past_end
from pipeline_lib import params
from pipeline_lib.learning.training import Batch, Epoch, fit
from pipeline_lib.stored_features import trials
from pipeline_lib.stored_features.systems import System
from pipeline_lib.stored_features.trials import N_PHYSIO, Lengths, Trials


class Reconstruction(nn.Module):
    """The backbone, and for each of its tokens a linear layer to the samples of its stretch."""

    def __init__(self, backbone: Backbone, config: params.MVP, lengths: Lengths) -> None:
        super().__init__()
        self.backbone = backbone
        self.n_times = lengths.times
        stretch = math.ceil(lengths.times / config.tokens)
        self.decoder = nn.Linear(config.dim, stretch * N_PHYSIO)

    def forward(self, physio: Tensor, n_times: Tensor) -> Tensor:
        """physio (B, T, 2), spans of it hidden -> all of it (B, T, 2)."""
        stretches = self.decoder(self.backbone(physio, n_times))  # (B, N, D) -> (B, N, S * 2)
        filled: Tensor = stretches.reshape(len(physio), -1, N_PHYSIO)  # -> (B, N * S, 2)
        return filled[:, : self.n_times]


def span_masks(n_items: int, *, n_times: int, span: int, ratio: float) -> Tensor:
    """Random masks (n_items, n_times), True where a sample is hidden.

    Of the whole spans of `span` samples, int(ratio * n_spans) are hidden, one at least.
    """
    n_spans = math.ceil(n_times / span)
    ranks = torch.rand(n_items, n_spans).argsort(dim=1).argsort(dim=1)
    hidden = ranks < max(1, int(ratio * n_spans))
    return hidden.repeat_interleave(span, dim=1)[:, :n_times]


def pretrain(
    backbone: Backbone,
    data: Trials,
    *,
    config: params.MVPSelfSupervised,
    lengths: Lengths,
    sampling_rate: float,
    seed: int,
    checkpoint: Path | None,
) -> Iterator[Epoch]:
    """Teach the backbone, in place, to fill in what is hidden of `data`; yields its epochs."""
    recipe = config.pretrain
    span = round(recipe.span_seconds * sampling_rate)

    def reconstruction_loss(model: nn.Module, batch: Batch) -> Tensor:
        physio, n_times = batch["physio"], batch["n_times"]
        hidden = span_masks(
            len(physio), n_times=physio.size(1), span=span, ratio=recipe.mask_ratio
        ).to(physio.device)  # (B, T)
        filled = model(physio.masked_fill(hidden[:, :, None], 0.0), n_times)
        counts = hidden & ~past_end(physio.size(1), n_times).squeeze(1)
        wrong: Tensor = ((filled - physio) ** 2 * counts[:, :, None]).sum()
        # Should chance hide padding alone, there is nothing to learn from the batch.
        return wrong / (N_PHYSIO * counts.sum().clamp(min=1))

    model = Reconstruction(backbone, config, lengths)
    yield from fit(
        model,
        reconstruction_loss,
        data,
        None,
        optimiser=torch.optim.AdamW(
            model.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
        ),
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        patience=recipe.epochs,
        seed=seed,
        checkpoint=checkpoint,
    )


def teach(
    model: MVP,
    training: pl.DataFrame,
    *,
    config: params.MVPSelfSupervised,
    lengths: Lengths,
    sampling_rate: float,
    seed: int,
    checkpoint: Path | None,
) -> None:
    """Pre-train the model's physiological backbone, in place.

    training : schema.FEATURES of the fold's training subjects; labels are not looked at
    """
    signals = Trials(trials.with_signals(training, ("physio",)), None, lengths, ("physio",))
    for _ in pretrain(
        model.physio,
        signals,
        config=config,
        lengths=lengths,
        sampling_rate=sampling_rate,
        seed=seed,
        checkpoint=checkpoint,
    ):
        pass  # training.fit logs its epochs


SYSTEM = System(MVP, pretrain=teach)
