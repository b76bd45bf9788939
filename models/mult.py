"""MulT: every input is read by every other one, the third of M-SENA's three.

Tsai et al., "Multimodal Transformer for Unaligned Multimodal Language Sequences", ACL 2019, 3.1 to
3.3: temporal convolutions to one width, positions, a crossmodal transformer for each ordered pair
(its queries are of the target, its keys and values of the source's lowest level in each layer),
then a self-attention transformer over what each target has read, and its last element. A missing
input is read as its learned vector, so every pair always has something to attend to.
"""

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn

from models.layers import AttentionLayer, sinusoids
from models.modalities import Modalities
from pipeline_lib import params


class MulT(nn.Module):
    """Estimates (B, n_outputs) of tokens (B, N, D) of two inputs or more."""

    positions: Tensor

    def __init__(
        self, config: params.MulT, widths: Mapping[str, int], n_tokens: int, n_outputs: int
    ) -> None:
        super().__init__()
        self.modalities = Modalities(widths, dropout=config.modality_dropout)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(width, config.dim, config.kernel, padding="same") for width in widths.values()
        )
        self.register_buffer("positions", sinusoids(n_tokens, config.dim), persistent=False)
        n_inputs = len(widths)
        self.pairs = [(a, b) for a in range(n_inputs) for b in range(n_inputs) if a != b]
        self.crossmodal = nn.ModuleList(_stack(config, config.dim, cross=True) for _ in self.pairs)
        joined = config.dim * (n_inputs - 1)
        self.memories = nn.ModuleList(_stack(config, joined, cross=False) for _ in widths)
        self.residual = nn.Sequential(
            nn.Linear(joined * n_inputs, joined * n_inputs),
            nn.ReLU(),
            nn.Dropout(config.dropout),
            nn.Linear(joined * n_inputs, joined * n_inputs),
        )
        self.head = nn.Linear(joined * n_inputs, n_outputs)

    def forward(self, tokens: Tensor, present: Tensor) -> Tensor:
        """tokens (B, N, D), present (B, N, M), True where the input is there."""
        tokens, _ = self.modalities(tokens, present)
        lowest = [
            convolution(part.transpose(1, 2)).transpose(1, 2) + self.positions  # (B, N, dim)
            for convolution, part in zip(
                self.convolutions, self.modalities.apart(tokens), strict=True
            )
        ]
        read: list[list[Tensor]] = [[] for _ in lowest]  # by target
        for (target, source), layers in zip(self.pairs, self.crossmodal, strict=True):
            x = lowest[target]
            for layer in _layers(layers):
                x = layer(x, lowest[source])
            read[target].append(x)
        last = []
        for sources, layers in zip(read, self.memories, strict=True):
            x = torch.cat(sources, dim=2)  # (B, N, (M - 1) * dim)
            for layer in _layers(layers):
                x = layer(x, None)
            last.append(x[:, -1])
        fused = torch.cat(last, dim=1)
        estimates: Tensor = self.head(fused + self.residual(fused))
        return estimates


def _stack(config: params.MulT, dim: int, *, cross: bool) -> nn.ModuleList:
    return nn.ModuleList(
        AttentionLayer(dim, config.heads, config.dropout, cross=cross) for _ in range(config.depth)
    )


def _layers(stack: nn.Module) -> nn.ModuleList:
    return cast(nn.ModuleList, stack)
