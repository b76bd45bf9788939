"""What the systems on tokens share: what stands for a missing input, and a recurrent reader.

Tokens (B, N, D) are the inputs of a frame side by side; present (B, N, M) says which of the M
inputs are there. An input that is not is replaced by a learned vector of its own width, so one
model trains and predicts with any subset. That vector learns only from recordings that lack the
input, or that hide it: modality_dropout.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence


class Modalities(nn.Module):
    """Fills what is missing in tokens, and takes them apart by input."""

    sizes: Tensor

    def __init__(self, widths: Mapping[str, int], *, dropout: float) -> None:
        """dropout: share of the inputs of recordings that training hides."""
        super().__init__()
        self.widths = tuple(widths.values())
        self.dropout = dropout
        self.register_buffer("sizes", torch.tensor(self.widths), persistent=False)
        self.missing = nn.Parameter(torch.zeros(sum(self.widths)))

    def forward(self, tokens: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """tokens (B, N, D), present (B, N, M) -> both, filled and with what is hidden now."""
        if self.training and self.dropout:
            present = self._hidden(present)
        shown = present.repeat_interleave(self.sizes, dim=2, output_size=len(self.missing))
        return torch.where(shown, tokens, self.missing), present

    def apart(self, tokens: Tensor) -> tuple[Tensor, ...]:
        """(B, N, D) -> M times (B, N, width)."""
        return torch.split(tokens, list(self.widths), dim=2)

    def _hidden(self, present: Tensor) -> Tensor:
        """Hide whole inputs of a recording, but never all that it has."""
        kept = torch.rand(len(present), 1, present.size(2), device=present.device) >= self.dropout
        less = present & kept
        return torch.where(less.any(dim=(1, 2), keepdim=True), less, present)


def last_hidden(lstm: nn.LSTM, x: Tensor, valid: Tensor) -> Tensor:
    """The last layer's state (B, H) after the valid ones of x (B, N, D), in their order.

    valid (B, N): frames where it is False are skipped, at the end or in between.
    """
    order = valid.long().argsort(dim=1, descending=True, stable=True)  # valid ones first
    x = x.gather(1, order[:, :, None].expand(-1, -1, x.size(2)))
    lengths = valid.sum(dim=1).clamp(min=1).cpu()
    packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    _, (hidden, _) = lstm(packed)  # (layers, B, H)
    last: Tensor = hidden[-1]
    return last
