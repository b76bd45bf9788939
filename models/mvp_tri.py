"""MVP with three modalities: heart and EDA apart, and video; the future work of MVP 6.

The paper says no more than "exploiting ECG and EDA data as two separated modalities, fused by a
transformer model". What differs from MVP, all of it our own design [?]:
- a backbone for each of heart, EDA and video; heart and EDA have one channel each
- two streams of queries, heart and EDA. Each reads, in every layer, the tokens of the two other
  modalities side by side, as crossmodal attention does in Tsai et al., MulT, ACL 2019. Video stays
  keys and values, as in MVP
- both streams are read out, concatenated, and a linear layer decides
"""

import torch
from torch import Tensor, nn

from models.layers import Fusion, physio_backbone, visual_backbone
from pipeline_lib import params
from pipeline_lib.core import schema
from pipeline_lib.stored_features.systems import System
from pipeline_lib.stored_features.trials import Lengths


class MVPTri(nn.Module):
    """Logits (B, 2) of valence and arousal: heart and EDA each query the two others."""

    def __init__(self, config: params.MVP, lengths: Lengths) -> None:
        super().__init__()
        self.visual = visual_backbone(config, lengths)
        self.heart = physio_backbone(config, lengths, n_chans=1)
        self.eda = physio_backbone(config, lengths, n_chans=1)
        self.heart_fusion = Fusion(config, cross=True)
        self.eda_fusion = Fusion(config, cross=True)
        self.head = nn.Linear(2 * config.dim, len(schema.TARGETS))

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

        faces (B, frames) and quality (B, 2) as in MVP; heart and EDA weigh by their quality where
        they are read, too.
        """
        video = self.visual(visual, n_frames, faces)  # each (B, N, D)
        of_heart = of_eda = None  # weights (B, 2 N) of what the stream reads
        if faces is not None and quality is not None:
            physio = physio * quality[:, None]
            heart_weight, eda_weight = (
                quality[:, i : i + 1].expand(-1, video.size(1)) for i in (0, 1)
            )
            shares = self.visual.shares(faces)
            of_heart = torch.cat([eda_weight, shares], dim=1)
            of_eda = torch.cat([heart_weight, shares], dim=1)
        heart = self.heart(physio[:, :, :1], n_times)
        eda = self.eda(physio[:, :, 1:], n_times)
        streams = [
            self.heart_fusion(heart, eda, video, weights=of_heart),
            self.eda_fusion(eda, heart, video, weights=of_eda),
        ]
        logits: Tensor = self.head(torch.cat(streams, dim=1))  # (B, 2 D) -> (B, 2)
        return logits


SYSTEM = System(MVPTri)
