"""TBJE: transformers that encode inputs jointly, and glimpses of them.

Delbrouck et al., "A Transformer-based joint-encoding for Emotion Recognition and Sentiment
Analysis", Challenge-HML 2020, section 3: in each block every input attends to itself, and all but
the first (text there; here the first of `inputs`) then to the first one, the modular co-attention.
A block ends in glimpses: as many weighted means over the frames as there are frames, added to the
tokens; in the last block a single one, which is the input's vector. Vectors are summed, normalised
and projected.
"""

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn

from models.modalities import Modalities
from pipeline_lib import params


class TBJE(nn.Module):
    """Estimates (B, n_outputs) of tokens (B, N, D) of two inputs or more."""

    def __init__(
        self, config: params.TBJE, widths: Mapping[str, int], n_tokens: int, n_outputs: int
    ) -> None:
        super().__init__()
        self.modalities = Modalities(widths, dropout=config.modality_dropout)
        self.readers = nn.ModuleList(
            nn.LSTM(width, config.dim, batch_first=True) for width in widths.values()
        )
        self.blocks = nn.ModuleList(
            Block(config, len(widths), n_glimpses=1 if last else n_tokens)
            for last in (number + 1 == config.depth for number in range(config.depth))
        )
        self.norm = nn.LayerNorm(config.dim)
        self.head = nn.Linear(config.dim, n_outputs)

    def forward(self, tokens: Tensor, present: Tensor) -> Tensor:
        """tokens (B, N, D), present (B, N, M), True where the input is there."""
        tokens, _ = self.modalities(tokens, present)
        parts = self.modalities.apart(tokens)
        inputs = [reader(part)[0] for reader, part in zip(self.readers, parts, strict=True)]
        for block in self.blocks:
            inputs = block(inputs)  # (B, N, dim) each, in the end (B, 1, dim)
        summed = torch.stack(inputs).sum(dim=0).squeeze(1)  # (B, dim)
        estimates: Tensor = self.head(self.norm(summed))
        return estimates


class Block(nn.Module):
    """Self-attention, attention to the first input, glimpses."""

    def __init__(self, config: params.TBJE, n_inputs: int, *, n_glimpses: int) -> None:
        super().__init__()
        self.own = nn.ModuleList(Attention(config) for _ in range(n_inputs))
        self.guided = nn.ModuleList(Attention(config) for _ in range(n_inputs - 1))
        self.feed_forward = nn.ModuleList(FeedForward(config) for _ in range(n_inputs))
        self.glimpses = nn.ModuleList(Glimpses(config, n_glimpses) for _ in range(n_inputs))

    def forward(self, inputs: list[Tensor]) -> list[Tensor]:
        attended = [own(x, x) for own, x in zip(self.own, inputs, strict=True)]
        first, *others = attended
        others = [guided(x, first) for guided, x in zip(self.guided, others, strict=True)]
        layers = zip(self.feed_forward, self.glimpses, [first, *others], strict=True)
        return [glimpses(feed_forward(x)) for feed_forward, glimpses, x in layers]


class Attention(nn.Module):
    """x + what x reads in the context, normalised."""

    def __init__(self, config: params.TBJE) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(
            config.dim, config.heads, config.dropout, batch_first=True
        )
        self.dropout = nn.Dropout(config.dropout)
        self.norm = nn.LayerNorm(config.dim)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """x (B, N, dim), context (B, M, dim) -> (B, N, dim)."""
        read, _ = self.attention(x, context, context, need_weights=False)
        return cast(Tensor, self.norm(x + self.dropout(read)))


class FeedForward(nn.Module):
    """x + a layer of x, normalised."""

    def __init__(self, config: params.TBJE) -> None:
        super().__init__()
        dim, dropout = config.dim, config.dropout
        self.layer = nn.Sequential(
            nn.Linear(dim, 4 * dim), nn.ReLU(), nn.Dropout(dropout), nn.Linear(4 * dim, dim)
        )
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, N, dim) -> (B, N, dim)."""
        return cast(Tensor, self.norm(x + self.dropout(self.layer(x))))


class Glimpses(nn.Module):
    """Weighted means over the frames: (B, N, dim) -> (B, n_glimpses, dim).

    As many as frames are added to them and normalised; a single one stands for itself.
    """

    def __init__(self, config: params.TBJE, n_glimpses: int) -> None:
        super().__init__()
        self.weigh = nn.Sequential(
            nn.Linear(config.dim, config.dim),
            nn.ReLU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.dim, n_glimpses),
        )
        self.norm = nn.LayerNorm(config.dim) if n_glimpses > 1 else None

    def forward(self, x: Tensor) -> Tensor:
        weights = self.weigh(x).softmax(dim=1)  # (B, N, G), over frames
        seen = torch.einsum("bng,bnd->bgd", weights, x)
        return seen if self.norm is None else cast(Tensor, self.norm(x + seen))
