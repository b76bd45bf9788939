"""ViPER: what is seen, heard and said of N frames, fused by a Perceiver.

Vaiani et al., MuSe 2022, 3.6 and 4, with transformers' Perceiver as its published code uses it: one
cross-attention from learned latents to the tokens, one block of self-attention over the latents,
and a decoder whose one query gives all targets, without sigmoid. No positions: the order of frames
does not matter, unless `positions: learned`. What differs: missing inputs are marked, not zeros;
frames without any input are left out of the attention; `dropout` is transformers' default.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from models.modalities import Modalities
from pipeline_lib import params

DECODER_HEADS = 1  # of the published code; the 8 + 8 heads are those of the encoder


class ViPER(nn.Module):
    """Estimates (B, n_outputs) of tokens (B, N, D)."""

    def __init__(
        self, config: params.ViPER, widths: Mapping[str, int], n_tokens: int, n_outputs: int
    ) -> None:
        # Not through transformers' Auto classes: they import what all its models need.
        from transformers.models.perceiver.configuration_perceiver import PerceiverConfig
        from transformers.models.perceiver.modeling_perceiver import (
            PerceiverBasicDecoder,
            PerceiverModel,
        )

        super().__init__()
        self.modalities = Modalities(widths, dropout=config.modality_dropout)
        width = sum(widths.values())
        self.padding = -width % config.cross_heads  # zeros: keys are as wide as tokens
        sizes = PerceiverConfig(
            num_latents=config.latents,
            d_latents=config.dim,
            d_model=width + self.padding,
            num_blocks=1,
            num_self_attends_per_block=config.depth,
            num_self_attention_heads=config.heads,
            num_cross_attention_heads=config.cross_heads,
            cross_attention_shape_for_attention="kv" if config.keys == "tokens" else "q",
            attention_probs_dropout_prob=config.dropout,
        )
        decoder = PerceiverBasicDecoder(
            sizes,
            output_num_channels=n_outputs,
            output_index_dims=1,
            num_channels=config.dim,
            num_heads=DECODER_HEADS,
            use_query_residual=True,
            trainable_position_encoding_kwargs={"num_channels": config.dim, "index_dims": 1},
        )
        self.perceiver = PerceiverModel(sizes, decoder=decoder)
        self.positions = None
        if config.positions == "learned":
            self.positions = nn.Parameter(0.02 * torch.randn(n_tokens, width))

    def forward(self, tokens: Tensor, present: Tensor) -> Tensor:
        """tokens (B, N, D), present (B, N, M), True where the input is there."""
        tokens, present = self.modalities(tokens, present)
        if self.positions is not None:
            tokens = tokens + self.positions
        fused = self.perceiver(
            pad(tokens, (0, self.padding)),  # (B, N, D + padding)
            attention_mask=present.any(dim=2).long(),  # (B, N)
        )
        estimates: Tensor = fused.logits.squeeze(1)  # (B, 1, n_outputs)
        return estimates
