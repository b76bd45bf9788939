"""UniAUTransformer: the action units of a whole trial alone (Table 4a; DEAP's MVP on video, 4b).

What differs from MVP: queries, keys and values are all video, so the stack of attention layers is
a plain transformer encoder. Recordings without physiology take part.
"""

from torch import Tensor, nn

from models.layers import Fusion, visual_backbone
from pipeline_lib import params
from pipeline_lib.core import schema
from pipeline_lib.stored_features.systems import System
from pipeline_lib.stored_features.trials import Lengths


class UniAU(nn.Module):
    """Logits (B, 2) of valence and arousal: video reads itself."""

    def __init__(self, config: params.UniAU, lengths: Lengths) -> None:
        super().__init__()
        self.visual = visual_backbone(config, lengths)
        self.fusion = Fusion(config, cross=False)
        self.head = nn.Linear(config.dim, len(schema.TARGETS))

    def forward(self, visual: Tensor, n_frames: Tensor) -> Tensor:
        """visual (B, frames, 42), true lengths (B,) -> logits (B, 2)."""
        tokens = self.visual(visual, n_frames)  # (B, N, D)
        logits: Tensor = self.head(self.fusion(tokens))
        return logits


SYSTEM = System(UniAU, modalities=("visual",))
