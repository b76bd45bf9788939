"""Low-rank fusion: a product of inputs, the second of M-SENA's three.

Liu et al., "Efficient Low-rank Multimodal Fusion with Modality-Specific Factors", ACL 2018, 3.2 and
3.3: the tensor product of all inputs, each with a 1 appended, under a weight that is a sum of
`rank` products. It is never built: each input meets its own factors, and the results are
multiplied. What differs: every input is the mean over its tokens, where the authors read text with
an LSTM.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from models.modalities import Modalities
from pipeline_lib import params


class LowRank(nn.Module):
    """Estimates (B, n_outputs) of tokens (B, N, D)."""

    def __init__(
        self, config: params.LowRank, widths: Mapping[str, int], n_tokens: int, n_outputs: int
    ) -> None:
        super().__init__()
        self.modalities = Modalities(widths, dropout=config.modality_dropout)
        self.readers = nn.ModuleList(
            nn.Sequential(
                nn.Linear(width, config.dim),
                nn.ReLU(),
                nn.Dropout(config.dropout),
                nn.Linear(config.dim, config.dim),
                nn.ReLU(),
            )
            for width in widths.values()
        )
        factors = torch.empty(len(widths), config.rank, config.dim + 1, n_outputs)
        self.factors = nn.Parameter(nn.init.xavier_normal_(factors))
        self.weights = nn.Parameter(nn.init.xavier_normal_(torch.empty(1, config.rank)))
        self.bias = nn.Parameter(torch.zeros(n_outputs))

    def forward(self, tokens: Tensor, present: Tensor) -> Tensor:
        """tokens (B, N, D), present (B, N, M), True where the input is there."""
        tokens, present = self.modalities(tokens, present)
        products: Tensor = torch.ones((), device=tokens.device)
        parts = self.modalities.apart(tokens)
        for i, (reader, part) in enumerate(zip(self.readers, parts, strict=True)):
            with_one = pad(reader(mean_of_present(part, present[:, :, i])), (0, 1), value=1.0)
            products = products * torch.einsum("bd,rdo->bro", with_one, self.factors[i])
        return torch.einsum("r,bro->bo", self.weights[0], products) + self.bias


def mean_of_present(tokens: Tensor, present: Tensor) -> Tensor:
    """Mean (B, d) over the tokens (B, N, d) that are present (B, N); over all, if none is."""
    counted = torch.where(present.any(dim=1, keepdim=True), present, True).to(tokens.dtype)
    return torch.einsum("bnd,bn->bd", tokens, counted) / counted.sum(dim=1, keepdim=True)
