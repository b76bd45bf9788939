"""What the systems on stored features are made of: backbones, attention, positions, readout.

Strizhkova et al., ABAW 2024, 3.2 and 3.3. What differs from a textbook transformer:
- tokens are not time steps: a 1D-CNN keeps the time axis, then a linear layer *over time* turns
  however many samples into a fixed number of tokens, so recordings are zero-padded to one length
- no causal mask; one readout for both targets
What the paper leaves open is marked [?] here and in params.yaml.
"""

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from pipeline_lib import params
from pipeline_lib.core import schema
from pipeline_lib.stored_features.trials import N_PHYSIO, N_VISUAL, Lengths

N_STEPS = 64  # to a multiple of this share of its length a backbone rounds up: fewer, larger groups


class MVP(nn.Module):
    """Logits (B, 2) of valence and arousal: physiology queries video. Fig. 1 and 3.3.

    Trained on whole trials by models/mvp.py, on cuts by mvp_10s, after pre-training by mvp_ssl.
    """

    def __init__(self, config: params.CrossModal, lengths: Lengths) -> None:
        super().__init__()
        self.visual = visual_backbone(config, lengths)
        self.physio = physio_backbone(config, lengths)
        self.fusion = Fusion(config, cross=True)
        self.head = nn.Linear(config.dim, len(schema.TARGETS))

    def forward(
        self,
        visual: Tensor,
        physio: Tensor,
        n_frames: Tensor,
        n_times: Tensor,
        faces: Tensor | None = None,
        quality: Tensor | None = None,
    ) -> Tensor:
        """visual (B, frames, 42), physio (B, times, 2), true lengths (B,) -> logits (B, 2).

        faces (B, frames), True where there is one, and quality (B, 2) of heart and EDA: channels
        count by their quality, and video tokens by the share of faces in what they are made of.
        A recording without video or physiology is then read as far as it goes.
        """
        if quality is not None:
            physio = physio * quality[:, None]  # (B, T, 2) * (B, 1, 2)
        weights = None if faces is None else self.visual.shares(faces)  # (B, N)
        video = self.visual(visual, n_frames, faces)  # (B, N, D)
        tokens = self.physio(physio, n_times)  # (B, N, D)
        logits: Tensor = self.head(self.fusion(tokens, video, weights=weights))
        return logits


class Backbone(nn.Module):
    """1D-CNN that keeps time, then a linear layer over time: (B, T, C) -> (B, tokens, D).

    mask_padding: zero what the biases make of the padding, or let it pass (the paper).

    What lies past the end of a recording is never convolved but where an edge reaches: there the
    convolutions see zeros and yield one and the same vector, which over time has one summed
    weight. The tokens are those of the whole padded length, for the time of the true one.
    """

    def __init__(
        self,
        n_chans: int,
        channels: tuple[int, ...],
        kernels: tuple[int, ...],
        n_times: int,
        tokens: int,
        *,
        mask_padding: bool,
    ) -> None:
        super().__init__()
        self.convolutions = convolutions(n_chans, channels, kernels)
        self.over_time = nn.Linear(n_times, tokens)
        self.mask_padding = mask_padding
        self.halo = sum(kernel // 2 for kernel in kernels)  # how far a sample is felt

    def forward(self, x: Tensor, lengths: Tensor, known: Tensor | None = None) -> Tensor:
        """x (B, T, C), zero past its lengths (B,).

        known (B, T), True where there is something: the rest is masked as padding is.
        """
        x = x.transpose(1, 2)  # (B, T, C) -> (B, C, T)
        if torch.compiler.is_compiling() or torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]
            return self._tokens(
                x, lengths, known, x.size(2)
            )  # what is recorded must not hang on lengths
        step = math.ceil(x.size(2) / N_STEPS)
        ends = (lengths + (step - 1)).div(step, rounding_mode="floor").clamp(min=1) * step
        values = sorted(set(ends.tolist()))
        if len(values) == 1:
            return self._tokens(x, lengths, known, values[0])
        rows = [(ends == end).nonzero().squeeze(1) for end in values]
        tokens = [
            self._tokens(x[of], lengths[of], known if known is None else known[of], end)
            for of, end in zip(rows, values, strict=True)
        ]
        return torch.cat(tokens)[torch.cat(rows).argsort()]

    def shares(self, known: Tensor) -> Tensor:
        """known (B, T) -> (B, N), of what each token is made of the share that is known."""
        weight = self.over_time.weight.detach().abs()  # (N, T)
        return linear(known.to(weight.dtype), weight / weight.sum(dim=1, keepdim=True))

    def _tokens(self, x: Tensor, lengths: Tensor, known: Tensor | None, end: int) -> Tensor:
        """x (B, C, T) of which nothing lasts beyond `end` -> (B, N, D)."""
        weight = self.over_time.weight  # (N, T)
        n_times = x.size(2)
        unknown: Tensor | None = None  # (B, 1, T)
        if known is not None or self.mask_padding:
            x, weight = x[:, :, :end], weight[:, :end]
            unknown = past_end(x.size(2), lengths) if known is None else ~known[:, None, :end]
        elif (constant := end + self.halo) + 1 + self.halo < n_times:
            x = x[:, :, : constant + 1 + self.halo]
            summed = weight[:, constant : n_times - self.halo].sum(dim=1, keepdim=True)
            edge = weight[:, n_times - self.halo :]
            weight = torch.cat([weight[:, :constant], summed, edge], dim=1)
        for convolution in self.convolutions:
            x = convolution(x).relu_()  # (B, D, T')
            x = x if unknown is None else x.masked_fill(unknown, 0.0)
        return linear(x, weight, self.over_time.bias).transpose(1, 2)  # -> (B, D, N) -> (B, N, D)


class Fusion(nn.Module):
    """Attention layers over tokens (B, N, D), and their readout (B, D).

    cross : queries read the tokens of another modality, the same ones in every layer, so that
            the residual stream stays their own (3.3); else Q = K = V, a plain encoder
    """

    positions: Tensor

    def __init__(self, config: params.Attention, *, cross: bool) -> None:
        super().__init__()
        self.scale = math.sqrt(config.dim)
        self.register_buffer("positions", sinusoids(config.tokens, config.dim), persistent=False)
        self.dropout = nn.Dropout(config.dropout)
        self.layers = nn.ModuleList(
            AttentionLayer(config.dim, config.heads, config.dropout, cross=cross)
            for _ in range(config.depth)
        )
        self.norm = nn.LayerNorm(config.dim)
        self.readout = Readout(config.readout, config.dim, config.heads)

    def forward(self, x: Tensor, *contexts: Tensor, weights: Tensor | None = None) -> Tensor:
        """x (B, N, D) queries, contexts each (B, N, D), none unless `cross` -> (B, D).

        weights (B, M), 0 to 1, of the context's tokens: 0 leaves one out, all 0 reads nothing
        """
        # Context first: the order of the draws of dropout.
        context = torch.cat([self.place(tokens) for tokens in contexts], 1) if contexts else None
        x = self.place(x)
        for layer in self.layers:
            x = layer(x, context, weights)
        read: Tensor = self.readout(self.norm(x))
        return read

    def place(self, tokens: Tensor) -> Tensor:
        """Add positions; scaled as in Vaswani et al. 3.4, lest these drown the content [?]."""
        placed: Tensor = self.dropout(tokens * self.scale + self.positions)
        return placed


class AttentionLayer(nn.Module):
    """One pre-norm layer [?]: x queries a context, or itself."""

    def __init__(self, dim: int, heads: int, dropout: float, *, cross: bool) -> None:
        super().__init__()
        self.norm_query = nn.LayerNorm(dim)
        self.norm_context = nn.LayerNorm(dim) if cross else None
        self.attention = nn.MultiheadAttention(dim, heads, dropout, batch_first=True)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(dim),
            nn.Linear(dim, 4 * dim),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(4 * dim, dim),
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, context: Tensor | None, weights: Tensor | None = None) -> Tensor:
        """x (B, N, D) queries, context (B, M, D) keys and values, weights (B, M) -> (B, N, D).

        Attention is multiplied by the weights, then made to sum to 1 again. With weights there
        is also a zero to attend to, for a recording that has no context at all.
        """
        query = self.norm_query(x)
        read = query if self.norm_context is None else self.norm_context(context)
        mask = None
        if weights is not None:
            read = torch.cat([read, torch.zeros_like(read[:, :1])], dim=1)  # (B, M + 1, D)
            bias = nn.functional.pad(weights, (0, 1), value=1.0).log()  # (B, M + 1)
            heads = self.attention.num_heads
            mask = bias[:, None].expand(-1, x.size(1), -1).repeat_interleave(heads, dim=0)
        attended, _ = self.attention(query, read, read, attn_mask=mask, need_weights=False)
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


class SegmentEncoder(nn.Module):
    """1D-CNN and transformer over the steps of a segment: (B, T, C) -> what CLS holds (B, D).

    After Vazquez-Rodriguez et al., ICPR 2022: tokens are time steps, of which `pool` are averaged
    into one (1: theirs). A segment's zero padding, if any, is let pass, as the paper does.
    """

    positions: Tensor

    def __init__(
        self,
        config: params.UniTransformer,
        n_chans: int,
        channels: tuple[int, ...],
        kernels: tuple[int, ...],
        pool: int,
        n_times: int,
    ) -> None:
        super().__init__()
        self.convolutions = convolutions(n_chans, channels, kernels)
        self.pool = nn.AvgPool1d(pool, ceil_mode=True)
        self.norm = nn.LayerNorm(config.dim)
        self.token = nn.Parameter(0.02 * torch.randn(1, 1, config.dim))
        n_tokens = 1 + math.ceil(n_times / pool)
        self.register_buffer("positions", sinusoids(n_tokens, config.dim), persistent=False)
        layer = nn.TransformerEncoderLayer(
            config.dim, config.heads, 4 * config.dim, config.dropout,
            batch_first=True, norm_first=True,
        )  # fmt: skip
        self.encoder = nn.TransformerEncoder(
            layer, config.depth, norm=nn.LayerNorm(config.dim), enable_nested_tensor=False
        )
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = x.transpose(1, 2)  # (B, T, C) -> (B, C, T)
        for convolution in self.convolutions:
            x = convolution(x).relu_()
        x = self.norm(self.pool(x).transpose(1, 2))  # (B, D, T) -> (B, D, L) -> (B, L, D)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], dim=1)  # (B, 1 + L, D)
        read: Tensor = self.encoder(self.dropout(x + self.positions))[:, 0]
        return read


def visual_backbone(config: params.SeesVideo, lengths: Lengths) -> Backbone:
    """1D-CNN_v and MLP_v over the 42 visual features (3.2)."""
    return Backbone(
        N_VISUAL,
        config.visual_channels,
        config.visual_kernels,
        lengths.frames,
        config.tokens,
        mask_padding=config.mask_padding,
    )


def physio_backbone(
    config: params.SeesPhysio, lengths: Lengths, *, n_chans: int = N_PHYSIO
) -> Backbone:
    """1D-CNN_p and MLP_p over heart and EDA as one modality (3.2), or over one of them."""
    return Backbone(
        n_chans,
        config.physio_channels,
        config.physio_kernels,
        lengths.times,
        config.tokens,
        mask_padding=config.mask_padding,
    )


def convolutions(
    n_chans: int, channels: tuple[int, ...], kernels: tuple[int, ...]
) -> nn.ModuleList:
    """A 1D-CNN that keeps time."""
    sizes = zip((n_chans, *channels), channels, kernels, strict=False)
    return nn.ModuleList(
        nn.Conv1d(n_in, n_out, kernel, padding="same") for n_in, n_out, kernel in sizes
    )


def sinusoids(length: int, dim: int) -> Tensor:
    """Positions (length, dim) of Vaswani et al. 3.5."""
    rates = torch.exp(-math.log(10_000) * torch.arange(0, dim, 2) / dim)
    angles = torch.arange(length)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)[:, :dim]


def past_end(n_times: int, lengths: Tensor) -> Tensor:
    """(B, 1, n_times), True where a recording has ended."""
    return torch.arange(n_times, device=lengths.device) >= lengths[:, None, None]
