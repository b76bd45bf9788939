"""UniTransformer: raw ECG or PPG and EDA in segments of ten seconds (Table 4, "adapted").

Vazquez-Rodriguez et al., "Transformer-based self-supervised learning for emotion recognition",
ICPR 2022, as MVP 5.2 adapts it: heart and EDA together where its authors had ECG alone. Sizes are
recalled from there [?]: three convolutions, a CLS token, 2 layers, 2 heads. What differs: no
pre-training; pre-norm, which trains without a warm-up [?]; one linear head for both targets. The
trial's score is the mean of its segments' probabilities. Recordings without video take part.
"""

from torch import Tensor, nn

from models.layers import SegmentEncoder
from pipeline_lib import params
from pipeline_lib.core import schema
from pipeline_lib.stored_features.systems import System
from pipeline_lib.stored_features.trials import N_PHYSIO, Lengths


class UniTransformer(nn.Module):
    """Logits (B, 2) of valence and arousal of a segment."""

    def __init__(self, config: params.UniTransformer, lengths: Lengths) -> None:
        super().__init__()
        self.physio = SegmentEncoder(
            config,
            N_PHYSIO,
            config.physio_channels,
            config.physio_kernels,
            config.physio_pool,
            lengths.times,
        )
        self.head = nn.Linear(config.dim, len(schema.TARGETS))

    def forward(self, physio: Tensor, n_times: Tensor) -> Tensor:
        """physio (B, times, 2) -> logits (B, 2)."""
        logits: Tensor = self.head(self.physio(physio))
        return logits


SYSTEM = System(UniTransformer, modalities=("physio",))
