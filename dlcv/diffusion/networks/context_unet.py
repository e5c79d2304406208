"""The network of reports 000 and 003, after TeaPearce/Conditional_Diffusion_MNIST: 26,320,387 parameters at width 1.

Time is added and the class multiplies, in the two steps of the way up and nowhere else.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcv.diffusion.networks.conditioning import CLASSES, Condition, Modulation, Part, Unet, one_hot

FEATURES = 256  # at width 1
BOTTOM = 7  # pixels of a side at the bottom, for images of 28


class ContextUnet(Unet):
    """ContextUnet as printed.

    The absent class is the vector of zeros in place of one-hot. Images of another size than 28 are averaged to one
    vector as well, and what that is blown up to is resized.

    Args:
        channels: of images.
        width: factor on 256 features; they are rounded to a multiple of 8.
        timesteps: T; the network is told (t + 1) / T.
        adaptive: every block sees time and class too, behind group in place of batch normalisation; in no report.
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
    """ResidualConvBlock: twice a convolution, normalisation and GELU; only the network's first block adds its input.

    Args:
        embedded: size of the condition; 0 for none.
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
        # The reference's 1.414: the sum of two unit variances is brought back to one.
        return ((x if x.shape == second.shape else first) + second) / math.sqrt(2)


class Down(nn.Module):
    """UnetDown: a block, then the largest of each 2 x 2."""

    def __init__(self, inputs: int, outputs: int, embedded: int):
        super().__init__()
        self.block = ConvBlock(inputs, outputs, embedded)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x: Tensor, condition: Tensor | None) -> Tensor:
        out: Tensor = self.pool(self.block(x, condition))
        return out


class Up(nn.Module):
    """UnetUp: doubled by a transposed convolution, then two blocks."""

    def __init__(self, inputs: int, outputs: int, embedded: int):
        super().__init__()
        self.grow = nn.ConvTranspose2d(inputs, outputs, 2, 2)
        self.block1 = ConvBlock(outputs, outputs, embedded)
        self.block2 = ConvBlock(outputs, outputs, embedded)

    def forward(self, x: Tensor, condition: Tensor | None) -> Tensor:
        out: Tensor = self.block2(self.block1(self.grow(x), condition), condition)
        return out


def layer(inputs: int, outputs: int, group: bool) -> nn.Sequential:
    """A convolution of 3 x 3, normalisation (of either kind 2 x `outputs` parameters) and GELU."""
    norm = nn.GroupNorm(8, outputs) if group else nn.BatchNorm2d(outputs)
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), norm, nn.GELU())


def embedding(inputs: int, outputs: int) -> nn.Sequential:
    """EmbedFC."""
    return nn.Sequential(nn.Linear(inputs, outputs), nn.GELU(), nn.Linear(outputs, outputs))
