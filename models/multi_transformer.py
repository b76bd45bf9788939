"""MultiTransformer: one transformer a modality over ten seconds, fused late (Table 4, "adapted").

Vazquez-Rodriguez et al., "Emotion recognition with pre-trained transformers using multimodal
signals", ACII 2022, as MVP 5.2 adapts it: ECG or PPG and EDA are one input, action units the other,
where its authors had ECG and EEG. The last outputs of both encoders, what their CLS tokens hold,
are concatenated, and a linear layer decides. What differs: no pre-training; pre-norm [?]. The
trial's score is the mean of its segments' probabilities.
"""

import torch
from torch import Tensor, nn

from models.layers import SegmentEncoder
from pipeline_lib import params
from pipeline_lib.core import schema
from pipeline_lib.stored_features.systems import System
from pipeline_lib.stored_features.trials import N_PHYSIO, N_VISUAL, Lengths


class MultiTransformer(nn.Module):
    """Logits (B, 2) of valence and arousal of a segment."""

    def __init__(self, config: params.MultiTransformer, lengths: Lengths) -> None:
        super().__init__()
        self.visual = SegmentEncoder(
            config,
            N_VISUAL,
            config.visual_channels,
            config.visual_kernels,
            config.visual_pool,
            lengths.frames,
        )
        self.physio = SegmentEncoder(
            config,
            N_PHYSIO,
            config.physio_channels,
            config.physio_kernels,
            config.physio_pool,
            lengths.times,
        )
        self.head = nn.Linear(2 * config.dim, len(schema.TARGETS))

    def forward(self, visual: Tensor, physio: Tensor, n_frames: Tensor, n_times: Tensor) -> Tensor:
        """visual (B, frames, 42), physio (B, times, 2) -> logits (B, 2)."""
        read = torch.cat([self.physio(physio), self.visual(visual)], dim=1)  # (B, 2 D)
        logits: Tensor = self.head(read)
        return logits


SYSTEM = System(MultiTransformer)
