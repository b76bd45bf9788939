"""Early fusion: an LSTM over concatenated tokens, the first of M-SENA's three.

Mao et al., "M-SENA: An Integrated Platform for Multimodal Sentiment Analysis", ACL 2022 (EF-LSTM,
after Williams et al. 2018). It differs from models/lstm.py in having no layer before the LSTM, one
layer of it by default, and no sigmoid.
"""

from collections.abc import Mapping

from torch import Tensor, nn

from models.modalities import Modalities, last_hidden
from pipeline_lib import params


class Early(nn.Module):
    """Estimates (B, n_outputs) of tokens (B, N, D)."""

    def __init__(
        self, config: params.Early, widths: Mapping[str, int], n_tokens: int, n_outputs: int
    ) -> None:
        super().__init__()
        self.modalities = Modalities(widths, dropout=config.modality_dropout)
        self.lstm = nn.LSTM(sum(widths.values()), config.dim, config.depth, batch_first=True)
        self.head = nn.Sequential(
            nn.Dropout(config.dropout),
            nn.Linear(config.dim, config.dim),
            nn.ReLU(),
            nn.Linear(config.dim, n_outputs),
        )

    def forward(self, tokens: Tensor, present: Tensor) -> Tensor:
        """tokens (B, N, D), present (B, N, M), True where the input is there."""
        tokens, present = self.modalities(tokens, present)
        estimates: Tensor = self.head(last_hidden(self.lstm, tokens, present.any(dim=2)))
        return estimates
