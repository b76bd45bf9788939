"""The challenge's baseline: an LSTM over the frames that are there.

Christ et al., "The MuSe 2022 Multimodal Sentiment Analysis Challenge", 2022, section 4: linear
layer, three layers of LSTM, its last state, two linear layers, sigmoid. Frames without a token are
skipped by packing, so they change nothing.
"""

from collections.abc import Mapping

from torch import Tensor, nn

from models.modalities import Modalities, last_hidden
from pipeline_lib import params


class LSTM(nn.Module):
    """Estimates (B, n_outputs) in 0-1 of tokens (B, N, D)."""

    def __init__(
        self, config: params.LSTM, widths: Mapping[str, int], n_tokens: int, n_outputs: int
    ) -> None:
        super().__init__()
        self.modalities = Modalities(widths, dropout=config.modality_dropout)
        self.project = nn.Linear(sum(widths.values()), config.dim)
        dropout = config.dropout if config.depth > 1 else 0.0  # it stands between layers
        self.lstm = nn.LSTM(config.dim, config.dim, config.depth, batch_first=True, dropout=dropout)
        self.head = nn.Sequential(
            nn.Linear(config.dim, config.dim),
            nn.ReLU(),
            nn.Dropout(config.head_dropout),
            nn.Linear(config.dim, n_outputs),
            nn.Sigmoid(),
        )

    def forward(self, tokens: Tensor, present: Tensor) -> Tensor:
        """tokens (B, N, D), present (B, N, M), True where the input is there."""
        tokens, present = self.modalities(tokens, present)
        read = last_hidden(self.lstm, self.project(tokens), present.any(dim=2))  # (B, dim)
        estimates: Tensor = self.head(read)
        return estimates
