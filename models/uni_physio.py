"""UniPhysioTransformer: raw ECG or PPG and EDA of a whole trial alone (Table 4a; DEAP, 4b).

What differs from MVP: queries, keys and values are all physiology, so the stack of attention
layers is a plain transformer encoder. Recordings without video take part.
"""

from torch import Tensor, nn

from models.layers import Fusion, physio_backbone
from pipeline_lib import params
from pipeline_lib.core import schema
from pipeline_lib.stored_features.systems import System
from pipeline_lib.stored_features.trials import Lengths


class UniPhysio(nn.Module):
    """Logits (B, 2) of valence and arousal: physiology reads itself."""

    def __init__(self, config: params.UniPhysio, lengths: Lengths) -> None:
        super().__init__()
        self.physio = physio_backbone(config, lengths)
        self.fusion = Fusion(config, cross=False)
        self.head = nn.Linear(config.dim, len(schema.TARGETS))

    def forward(self, physio: Tensor, n_times: Tensor) -> Tensor:
        """physio (B, times, 2), true lengths (B,) -> logits (B, 2)."""
        tokens = self.physio(physio, n_times)  # (B, N, D)
        logits: Tensor = self.head(self.fusion(tokens))
        return logits


SYSTEM = System(UniPhysio, modalities=("physio",))
