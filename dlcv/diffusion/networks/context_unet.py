"""The network of reports 000 and 003, after TeaPearce/Conditional_Diffusion_MNIST: 26,320,387 parameters at width 1.

Each of the two steps of the way up multiplies by the embedded class and adds the embedded time; no other layer does.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcv.diffusion.networks.conditioning import CLASSES, Condition, Modulation, one_hot
from dlcv.diffusion.networks.interface import Part, Unet

FEATURES = 256  # at width 1
BOTTOM = 7  # side of the smallest feature maps, for images of 28 pixels


class ContextUnet(Unet):
    """ContextUnet as printed.

    The absent class is a vector of zeros instead of a one-hot vector. The bottom is one vector, expanded to 7 x 7; for
    images of another size than 28 pixels it is resized from there.

    Args:
        channels: of images.
        width: factor on 256 features, which are rounded to a multiple of 8.
        timesteps: T; the network receives (t + 1) / T.
        adaptive: modulate every block by time and class as well, and use group instead of batch normalisation; in no
            report.
    """

    multiple = 4

    def __init__(self, channels: int, width: float, timesteps: int, adaptive: bool = False):
        super().__init__()
        features = 8 * max(1, round(FEATURES * width / 8))
        embedded = features if adaptive else 0
        self.timesteps = timesteps
        self.condition = Condition(embedded) if adaptive else None
        self.init_conv = ConvBlock(channels, features, embedded, residual=True)
        self.down1 = Down(features, features, embedded)
        self.down2 = Down(features, 2 * features, embedded)
        self.to_vec = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.GELU())
        self.timeembed1 = embedding(1, 2 * features)
        self.timeembed2 = embedding(1, features)
        self.contextembed1 = embedding(CLASSES, 2 * features)
        self.contextembed2 = embedding(CLASSES, features)
        self.up0 = nn.Sequential(
            nn.ConvTranspose2d(2 * features, 2 * features, BOTTOM, BOTTOM), nn.GroupNorm(8, 2 * features), nn.ReLU()
        )
        self.up1 = Up(4 * features, features, embedded)
        self.up2 = Up(2 * features, features, embedded)
        self.out = nn.Sequential(
            nn.Conv2d(2 * features, features, 3, padding=1),
            nn.GroupNorm(8, features),
            nn.ReLU(),
            nn.Conv2d(features, channels, 3, padding=1),
        )

    def forward(self, x: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        condition = None if self.condition is None else self.condition(t, labels)
        time, context = (t[:, None].float() + 1) / self.timesteps, one_hot(labels)
        time1, time2 = (embed(time)[:, :, None, None] for embed in (self.timeembed1, self.timeembed2))
        class1, class2 = (embed(context)[:, :, None, None] for embed in (self.contextembed1, self.contextembed2))

        first = self.init_conv(x, condition)
        down1 = self.down1(first, condition)
        down2 = self.down2(down1, condition)
        hidden = self.up0(self.to_vec(down2))
        if hidden.shape[2:] != down2.shape[2:]:
            hidden = F.interpolate(hidden, size=down2.shape[2:])
        hidden = self.up1(torch.cat([class1 * hidden + time1, down2], dim=1), condition)
        hidden = self.up2(torch.cat([class2 * hidden + time2, down1], dim=1), condition)
        out: Tensor = self.out(torch.cat([hidden, first], dim=1))
        return out

    def parts(self) -> list[Part]:
        everywhere = "" if self.condition is None else "time, class"
        parts = [] if self.condition is None else [Part("condition", self.condition, condition="time, class")]
        parts += [
            Part("timeembed1", self.timeembed1, condition="time"),
            Part("timeembed2", self.timeembed2, condition="time"),
            Part("contextembed1", self.contextembed1, condition="class"),
            Part("contextembed2", self.contextembed2, condition="class"),
        ]
        first = len(parts)
        return [
            *parts,
            Part("init_conv", self.init_conv, condition=everywhere),
            Part("down1", self.down1, condition=everywhere),
            Part("down2", self.down2, condition=everywhere),
            Part("to_vec", self.to_vec),
            Part("up0", self.up0),
            Part("up1", self.up1, skip=first + 2, condition="time, class"),
            Part("up2", self.up2, skip=first + 1, condition="time, class"),
            Part("out", self.out, skip=first),
        ]


class ConvBlock(nn.Module):
    """ResidualConvBlock: two layers of convolution, normalisation and GELU.

    Args:
        embedded: size of the condition; 0 for none.
        residual: add the input, as only the network's first block does.
    """

    def __init__(self, inputs: int, outputs: int, embedded: int, residual: bool = False):
        super().__init__()
        self.conv1 = layer(inputs, outputs, group=embedded > 0)
        self.conv2 = layer(outputs, outputs, group=embedded > 0)
        self.modulation = Modulation(embedded, outputs) if embedded else None
        self.residual = residual

    def forward(self, x: Tensor, condition: Tensor | None) -> Tensor:
        convolution, norm, activation = self.conv1
        hidden = norm(convolution(x))
        if self.modulation is not None:
            hidden = self.modulation(hidden, condition)
        first: Tensor = activation(hidden)
        second: Tensor = self.conv2(first)
        if not self.residual:
            return second
        # The reference's 1.414: it scales the sum of two unit variances back to one.
        return ((x if x.shape == second.shape else first) + second) / math.sqrt(2)


class Down(nn.Module):
    """UnetDown: a block, then max-pooling to half the size."""

    def __init__(self, inputs: int, outputs: int, embedded: int):
        super().__init__()
        self.block = ConvBlock(inputs, outputs, embedded)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x: Tensor, condition: Tensor | None) -> Tensor:
        out: Tensor = self.pool(self.block(x, condition))
        return out


class Up(nn.Module):
    """UnetUp: a transposed convolution to twice the size, then two blocks."""

    def __init__(self, inputs: int, outputs: int, embedded: int):
        super().__init__()
        self.grow = nn.ConvTranspose2d(inputs, outputs, 2, 2)
        self.block1 = ConvBlock(outputs, outputs, embedded)
        self.block2 = ConvBlock(outputs, outputs, embedded)

    def forward(self, x: Tensor, condition: Tensor | None) -> Tensor:
        out: Tensor = self.block2(self.block1(self.grow(x), condition), condition)
        return out


def layer(inputs: int, outputs: int, group: bool) -> nn.Sequential:
    """A convolution of 3 x 3, group or batch normalisation, and GELU."""
    norm = nn.GroupNorm(8, outputs) if group else nn.BatchNorm2d(outputs)
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), norm, nn.GELU())


def embedding(inputs: int, outputs: int) -> nn.Sequential:
    """EmbedFC: two linear layers with GELU between them."""
    return nn.Sequential(nn.Linear(inputs, outputs), nn.GELU(), nn.Linear(outputs, outputs))
