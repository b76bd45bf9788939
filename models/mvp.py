"""MVP: facial action units and raw physiology of a whole trial, fused by cross-attention.

Strizhkova et al., ABAW 2024. What differs from a textbook transformer:
- tokens are not time steps: a 1D-CNN keeps the time axis, then a linear layer *over time* turns
  however many samples into a fixed number of tokens, so recordings are zero-padded to one length
- queries are physiology, keys and values are video: the residual stream stays physiological, and
  every layer reads the same video tokens (3.3)
- no causal mask; one model predicts valence and arousal
The authors published no code. What the paper leaves open is marked [?] here and in params.yaml.
"""

import math
from pathlib import Path
from typing import Literal

import polars as pl
import torch
from torch import Tensor, nn

from pipeline_lib import params, schema
from pipeline_lib.training import FoldResult, by_role, fit_fold
from pipeline_lib.trials import N_PHYSIO, N_VISUAL, Lengths, Trials, VisualScale, usable
from pipeline_lib.trials import lacking as lacking  # a system says what it cannot do without


class MVP(nn.Module):
    """Logits (B, 2) of valence and arousal from recordings padded to `lengths`."""

    positions: Tensor

    def __init__(self, config: params.MVP, lengths: Lengths) -> None:
        super().__init__()
        self.config = config
        self.visual = Backbone(
            N_VISUAL, config.visual_channels, config.visual_kernels, lengths.frames, config.tokens
        )
        self.physio = Backbone(
            N_PHYSIO, config.physio_channels, config.physio_kernels, lengths.times, config.tokens
        )
        self.register_buffer("positions", sinusoids(config.tokens, config.dim), persistent=False)
        self.dropout = nn.Dropout(config.dropout)
        self.layers = nn.ModuleList(
            CrossAttention(config.dim, config.heads, config.dropout) for _ in range(config.depth)
        )
        self.norm = nn.LayerNorm(config.dim)
        self.readout = Readout(config.readout, config.dim, config.heads)
        self.head = nn.Linear(config.dim, len(schema.TARGETS))

    def forward(self, visual: Tensor, physio: Tensor, n_frames: Tensor, n_times: Tensor) -> Tensor:
        """visual (B, frames, 42), physio (B, times, 2), true lengths (B,) -> logits (B, 2)."""
        mask = self.config.mask_padding
        video = self._tokens(self.visual(visual, n_frames if mask else None))  # (B, N, D)
        x = self._tokens(self.physio(physio, n_times if mask else None))  # (B, N, D)
        for layer in self.layers:
            x = layer(x, video)
        logits: Tensor = self.head(self.readout(self.norm(x)))
        return logits

    def _tokens(self, x: Tensor) -> Tensor:
        # Scaled as in Vaswani et al. 3.4, lest the positions drown the content [?].
        tokens: Tensor = self.dropout(x * math.sqrt(self.config.dim) + self.positions)
        return tokens


class Backbone(nn.Module):
    """1D-CNN that keeps time, then a linear layer over time: (B, T, C) -> (B, tokens, D)."""

    def __init__(
        self,
        n_chans: int,
        channels: tuple[int, ...],
        kernels: tuple[int, ...],
        n_times: int,
        tokens: int,
    ) -> None:
        super().__init__()
        sizes = zip((n_chans, *channels), channels, kernels, strict=False)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(n_in, n_out, kernel, padding="same") for n_in, n_out, kernel in sizes
        )
        self.over_time = nn.Linear(n_times, tokens)

    def forward(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        """lengths (B,): zero what the biases make of the padding; None: let it pass (the paper)."""
        x = x.transpose(1, 2)  # (B, T, C) -> (B, C, T)
        padding = None if lengths is None else _padding(x.size(2), lengths)  # (B, 1, T)
        for convolution in self.convolutions:
            x = convolution(x).relu()  # (B, D, T)
            if padding is not None:
                x = x.masked_fill(padding, 0.0)
        tokens: Tensor = self.over_time(x)  # (B, D, T) -> (B, D, N)
        return tokens.transpose(1, 2)  # (B, N, D)


class CrossAttention(nn.Module):
    """One pre-norm layer: the physiological stream queries the video tokens."""

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.norm_query = nn.LayerNorm(dim)
        self.norm_video = nn.LayerNorm(dim)
        self.attention = nn.MultiheadAttention(dim, heads, dropout, batch_first=True)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(dim),
            nn.Linear(dim, 4 * dim),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(4 * dim, dim),
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, video: Tensor) -> Tensor:
        """x (B, N, D) queries, video (B, M, D) keys and values -> (B, N, D)."""
        video = self.norm_video(video)
        attended, _ = self.attention(self.norm_query(x), video, video, need_weights=False)
        x = x + self.dropout(attended)
        x = x + self.dropout(self.feed_forward(x))
        return x


class Readout(nn.Module):
    """The fused tokens (B, N, D) as one vector (B, D): their mean, the last, or what CLS reads.

    A CLS token among the queries would never see the physiology, for queries do not meet; so it
    attends to the tokens after the last layer.
    """

    def __init__(self, kind: Literal["mean", "cls", "last"], dim: int, heads: int) -> None:
        super().__init__()
        self.kind = kind
        if kind == "cls":
            self.token = nn.Parameter(torch.randn(1, 1, dim))
            self.attention = nn.MultiheadAttention(dim, heads, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        match self.kind:
            case "mean":
                return x.mean(dim=1)
            case "cls":
                token = self.token.expand(len(x), -1, -1)  # (B, 1, D)
                read: Tensor = self.attention(token, x, x, need_weights=False)[0]
                return read.squeeze(1)
            case "last":
                return x[:, -1]


def sinusoids(length: int, dim: int) -> Tensor:
    """Positions (length, dim) of Vaswani et al. 3.5."""
    rates = torch.exp(-math.log(10_000) * torch.arange(0, dim, 2) / dim)
    angles = torch.arange(length)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)[:, :dim]


def _padding(n_times: int, lengths: Tensor) -> Tensor:
    """(B, 1, n_times), True where a recording has ended."""
    return torch.arange(n_times, device=lengths.device) >= lengths[:, None, None]


def train_fold(
    features: pl.DataFrame,
    fold: pl.DataFrame,
    *,
    config: params.MVP,
    fps: float,
    sampling_rate: float,
    seed: int,
    checkpoint: Path | None,
) -> FoldResult:
    """Train on the fold's recordings with role `train`, stop by `validation`, predict `test`.

    features           : schema.FEATURES; what is not `usable` takes no part
    fold               : schema.FOLDS, the rows of one fold
    fps, sampling_rate : Hz of the visual matrix and of the physiology
    checkpoint         : see training.fit

    Raises TrainingError if a role has no usable recording or one is longer than max_seconds.
    """
    roles = by_role(usable(features), fold, lacking(features))
    lengths = Lengths.of(config.max_seconds, fps=fps, sampling_rate=sampling_rate)
    scale = VisualScale.of(roles["train"])
    data = {role: Trials(rows, scale, lengths) for role, rows in roles.items()}
    torch.manual_seed(seed)
    model = MVP(config, lengths)
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    return fit_fold(
        model, data, optimiser=optimiser, recipe=config, seed=seed, checkpoint=checkpoint
    )
