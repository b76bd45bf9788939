"""BBFN: one input in the centre, which complements each other one through gates.

Han et al., "Bi-Bimodal Modality Fusion for Correlation-Controlled Multimodal Sentiment Analysis",
ICMI 2021, section 3: the centre (text there; here the first of `inputs`) makes a pair with each
other input. In a pair both sides attend to each other, layer by layer; a retain gate says how much
of a side is kept and a compound gate how much of the other one is let in, both made from the last
states of the two. What differs: readout by the mean over frames [?]; no regulariser that tells the
two sides of a layer apart, for the loss of all systems here is the squared error alone.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from models.modalities import Modalities
from pipeline_lib import params


class BBFN(nn.Module):
    """Estimates (B, n_outputs) of tokens (B, N, D) of two inputs or more."""

    def __init__(
        self, config: params.BBFN, widths: Mapping[str, int], n_tokens: int, n_outputs: int
    ) -> None:
        super().__init__()
        self.modalities = Modalities(widths, dropout=config.modality_dropout)
        self.readers = nn.ModuleList(
            nn.GRU(width, config.dim // 2, batch_first=True, bidirectional=True)
            for width in widths.values()
        )
        n_pairs = len(widths) - 1
        self.pairs = nn.ModuleList(Pair(config) for _ in range(n_pairs))
        self.head = nn.Sequential(
            nn.Linear(2 * n_pairs * config.dim, config.dim),
            nn.ReLU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.dim, n_outputs),
        )

    def forward(self, tokens: Tensor, present: Tensor) -> Tensor:
        """tokens (B, N, D), present (B, N, M), True where the input is there."""
        tokens, _ = self.modalities(tokens, present)
        parts = self.modalities.apart(tokens)
        centre, *others = (
            reader(part)[0] for reader, part in zip(self.readers, parts, strict=True)
        )  # (B, N, dim) each
        sides = [
            side.mean(dim=1)
            for pair, other in zip(self.pairs, others, strict=True)
            for side in pair(centre, other)
        ]
        estimates: Tensor = self.head(torch.cat(sides, dim=1))
        return estimates


class Pair(nn.Module):
    """Two inputs that complement each other, layer by layer."""

    def __init__(self, config: params.BBFN) -> None:
        super().__init__()
        self.to_a, self.to_b = (
            nn.ModuleList(GatedComplementation(config) for _ in range(config.depth))
            for _ in range(2)
        )

    def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """a, b (B, N, dim) -> both after the last layer."""
        states = torch.cat([a[:, -1], b[:, -1]], dim=1)  # (B, 2 dim)
        for to_a, to_b in zip(self.to_a, self.to_b, strict=True):
            a, b = to_a(a, b, states), to_b(b, a, states)
        return a, b


class GatedComplementation(nn.Module):
    """A post-norm transformer layer that queries the other input, with its two gates."""

    def __init__(self, config: params.BBFN) -> None:
        super().__init__()
        dim = config.dim
        self.retain = nn.Linear(2 * dim, dim)
        self.compound = nn.Linear(2 * dim, dim)
        self.attention = nn.MultiheadAttention(dim, config.heads, config.dropout, batch_first=True)
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(2))
        self.feed_forward = nn.Sequential(
            nn.Linear(dim, 4 * dim), nn.ReLU(), nn.Dropout(config.dropout), nn.Linear(4 * dim, dim)
        )

    def forward(self, x: Tensor, other: Tensor, states: Tensor) -> Tensor:
        """x, other (B, N, dim), states (B, 2 dim) -> x, complemented."""
        retain, compound = (
            gate(states).sigmoid()[:, None] for gate in (self.retain, self.compound)
        )
        attended, _ = self.attention(x, other, other, need_weights=False)
        x = self.norms[0](retain * x + compound * attended)
        complemented: Tensor = self.norms[1](x + self.feed_forward(x))
        return complemented
