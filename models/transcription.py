"""MVP as the paper's equations say, in plain PyTorch and with nothing spared.

Not a system: what `models.layers.MVP` must equal, and what `python -m stages.benchmark` times it
against. It takes the weights of an MVP and computes, one formula after the other, 3.2 to 3.3:
convolutions over the whole padded length, the linear layer over time, Eq. 1 for each head, the
mean over tokens. Without dropout, which would draw other masks.
"""

import math
from typing import cast

import torch
from torch import Tensor, nn

from models.layers import MVP, AttentionLayer, Backbone


class Transcription(nn.Module):
    """Logits (B, 2) of an MVP's weights, which it shares."""

    def __init__(self, model: MVP) -> None:
        super().__init__()
        self.model = model

    def forward(self, visual: Tensor, physio: Tensor, n_frames: Tensor, n_times: Tensor) -> Tensor:
        """visual (B, frames, 42), physio (B, times, 2), zero-padded; lengths are not used."""
        model = self.model
        video = _placed(model, _tokens(model.visual, visual))  # (B, N, D)
        x = _placed(model, _tokens(model.physio, physio))
        for layer in model.fusion.layers:
            x = _attend(cast(AttentionLayer, layer), x, video)
        logits: Tensor = model.head(model.fusion.norm(x).mean(dim=1))
        return logits


def _tokens(backbone: Backbone, x: Tensor) -> Tensor:
    """1D-CNN, then MLP over time: (B, T, C) -> (B, N, D)."""
    x = x.transpose(1, 2)
    for convolution in backbone.convolutions:
        x = torch.relu(convolution(x))
    tokens: Tensor = backbone.over_time(x)
    return tokens.transpose(1, 2)


def _placed(model: MVP, tokens: Tensor) -> Tensor:
    return tokens * math.sqrt(tokens.size(2)) + model.fusion.positions


def _attend(layer: AttentionLayer, x: Tensor, video: Tensor) -> Tensor:
    """Eq. 1, Softmax(Q_p K_v^T / sqrt(d_k)) V_v, and a feed-forward layer."""
    query = layer.norm_query(x)
    video = layer.norm_context(video) if layer.norm_context is not None else query
    weights = layer.attention.in_proj_weight.chunk(3)
    biases = layer.attention.in_proj_bias.chunk(3)
    heads = layer.attention.num_heads
    q, k, v = (
        (inputs @ weight.T + bias).unflatten(2, (heads, -1)).transpose(1, 2)  # (B, H, N, d_k)
        for inputs, weight, bias in zip((query, video, video), weights, biases, strict=True)
    )
    attention = torch.softmax(q @ k.transpose(2, 3) / math.sqrt(q.size(3)), dim=3)
    read = (attention @ v).transpose(1, 2).flatten(2)  # (B, N, D)
    x = x + layer.attention.out_proj(read)
    fed: Tensor = x + layer.feed_forward(x)
    return fed
