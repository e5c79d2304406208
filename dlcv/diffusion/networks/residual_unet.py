"""The network of report 004, after zoubohao/DenoisingDiffusionProbabilityModel-ddpm-: 33,293,187 parameters at width 1.

Residual blocks add projections of time and class; there is self-attention only on the way down and in the middle; two
convolutions with different kernels change the size. The public reference has one more level than the report prints.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcv.diffusion.networks.conditioning import CLASSES, Condition, Modulation, time_embedding
from dlcv.diffusion.networks.interface import Part, Unet

CHANNELS = 128  # at width 1
MULTIPLIERS = (1, 2, 2)
BLOCKS = 2  # at each level on the way down; one more on the way up


class ResidualUnet(Unet):
    """UNet as printed; classes are counted from 1, and the absent class is 0, whose embedding stays zero.

    The zero embedding passes the linear layers after it, so the blocks receive a learned constant.

    Args:
        channels: of images.
        width: factor on 128 channels, which are rounded to a multiple of 4.
        timesteps: T, entries of the table of times, which starts as sines and cosines and is trained.
        dropout: within blocks.
        adaptive: modulate every block by time and class as well; in no report.
    """

    multiple = 4

    def __init__(self, channels: int, width: float, timesteps: int, dropout: float, adaptive: bool = False):
        super().__init__()
        base = 4 * max(1, round(CHANNELS * width / 4))
        size = 4 * base  # of an embedding
        embedded = size if adaptive else 0
        self.condition = Condition(embedded) if adaptive else None
        table = nn.Embedding(timesteps, base)
        with torch.no_grad():
            table.weight.copy_(time_embedding(torch.arange(timesteps), base))
        self.time_embedding = embedding(table, base, size)
        self.cond_embedding = embedding(nn.Embedding(CLASSES + 1, base, padding_idx=0), base, size)

        def block(inputs: int, outputs: int, attention: bool) -> ResidualBlock:
            return ResidualBlock(inputs, outputs, size, dropout, attention, embedded)

        self.head = nn.Conv2d(channels, base, 3, padding=1)
        self.downblocks = nn.ModuleList()
        skipped, hidden = [base], base
        for level, multiplier in enumerate(MULTIPLIERS):
            for _ in range(BLOCKS):
                self.downblocks.append(block(hidden, base * multiplier, attention=True))
                hidden = base * multiplier
                skipped.append(hidden)
            if level < len(MULTIPLIERS) - 1:
                self.downblocks.append(DownSample(hidden))
                skipped.append(hidden)
        self.middleblocks = nn.ModuleList(block(hidden, hidden, attention) for attention in (True, False))
        self.upblocks = nn.ModuleList()
        for level, multiplier in reversed(list(enumerate(MULTIPLIERS))):
            for _ in range(BLOCKS + 1):
                self.upblocks.append(block(hidden + skipped.pop(), base * multiplier, attention=False))
                hidden = base * multiplier
            if level:
                self.upblocks.append(UpSample(hidden))
        self.tail = nn.Sequential(norm(hidden), nn.SiLU(), nn.Conv2d(hidden, channels, 3, padding=1))

    def forward(self, x: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        condition = None if self.condition is None else self.condition(t, labels)
        time, context = self.time_embedding(t), self.cond_embedding(labels + 1)
        hidden = self.head(x)
        skips = [hidden]
        for layer in self.downblocks:
            hidden = layer(hidden, time, context, condition) if isinstance(layer, ResidualBlock) else layer(hidden)
            skips.append(hidden)
        for layer in self.middleblocks:
            hidden = layer(hidden, time, context, condition)
        for layer in self.upblocks:
            if isinstance(layer, ResidualBlock):
                hidden = layer(torch.cat([hidden, skips.pop()], dim=1), time, context, condition)
            else:
                hidden = layer(hidden)
        out: Tensor = self.tail(hidden)
        return out

    def parts(self) -> list[Part]:
        both = "time, class"
        parts = [] if self.condition is None else [Part("condition", self.condition, condition=both)]
        parts.append(Part("time_embedding", self.time_embedding, condition="time"))
        parts.append(Part("cond_embedding", self.cond_embedding, condition="class"))
        parts.append(Part("head", self.head))
        skips = [len(parts) - 1]
        for layer in self.downblocks:
            skips.append(len(parts))
            parts.append(Part(type(layer).__name__, layer, condition=both if isinstance(layer, ResidualBlock) else ""))
        parts += [Part("ResidualBlock", layer, condition=both) for layer in self.middleblocks]
        for layer in self.upblocks:
            if isinstance(layer, ResidualBlock):
                parts.append(Part("ResidualBlock", layer, skip=skips.pop(), condition=both))
            else:
                parts.append(Part("UpSample", layer))
        return [*parts, Part("tail", self.tail)]


class ResidualBlock(nn.Module):
    """Two convolutions with time and class, N x `size` each, added between them, then optional self-attention."""

    def __init__(self, inputs: int, outputs: int, size: int, dropout: float, attention: bool, embedded: int):
        super().__init__()
        self.block1 = nn.Sequential(norm(inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, padding=1))
        self.time_embedding_proj = nn.Sequential(nn.SiLU(), nn.Linear(size, outputs))
        self.cond_proj = nn.Sequential(nn.SiLU(), nn.Linear(size, outputs))
        convolution = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.block2 = nn.Sequential(norm(outputs), nn.SiLU(), nn.Dropout(dropout), convolution)
        self.shortcut = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)
        self.attention = Attention(outputs) if attention else nn.Identity()
        self.modulation = Modulation(embedded, outputs) if embedded else None

    def forward(self, x: Tensor, time: Tensor, context: Tensor, condition: Tensor | None) -> Tensor:
        hidden = self.block1(x)
        hidden = hidden + self.time_embedding_proj(time)[:, :, None, None] + self.cond_proj(context)[:, :, None, None]
        normalise, *rest = self.block2
        hidden = normalise(hidden)
        if self.modulation is not None:
            hidden = self.modulation(hidden, condition)
        for module in rest:
            hidden = module(hidden)
        out: Tensor = self.attention(hidden + self.shortcut(x))
        return out


class Attention(nn.Module):
    """AttentionBlock: self-attention over all positions, with one head."""

    def __init__(self, channels: int):
        super().__init__()
        self.group_norm = norm(channels)
        self.proj_q = nn.Conv2d(channels, channels, 1)
        self.proj_k = nn.Conv2d(channels, channels, 1)
        self.proj_v = nn.Conv2d(channels, channels, 1)
        self.proj = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        normed = self.group_norm(x)
        # N x C x H x W to N x 1 x HW x C.
        query, key, value = (
            projection(normed).flatten(2).transpose(1, 2).unsqueeze(1)
            for projection in (self.proj_q, self.proj_k, self.proj_v)
        )
        attended = F.scaled_dot_product_attention(query, key, value).squeeze(1).transpose(1, 2)
        out: Tensor = x + self.proj(attended.reshape(x.shape))
        return out


class DownSample(nn.Module):
    """The sum of two convolutions with stride 2."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv_1 = nn.Conv2d(channels, channels, 3, stride=2, padding=1)
        self.conv_2 = nn.Conv2d(channels, channels, 5, stride=2, padding=2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv_1(x) + self.conv_2(x)
        return out


class UpSample(nn.Module):
    """A transposed convolution to twice the size, then a convolution."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.convtrans = nn.ConvTranspose2d(channels, channels, 5, stride=2, padding=2, output_padding=1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv(self.convtrans(x))
        return out


def norm(channels: int) -> nn.GroupNorm:
    """GroupNorm of 32 groups as printed, or fewer, so that each has at least 4 channels."""
    return nn.GroupNorm(math.gcd(32, channels // 4), channels)


def embedding(table: nn.Embedding, entries: int, size: int) -> nn.Sequential:
    """A table with `entries` numbers in each row, and two linear layers."""
    return nn.Sequential(table, nn.Linear(entries, size), nn.SiLU(), nn.Linear(size, size))
