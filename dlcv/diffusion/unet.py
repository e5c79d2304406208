"""The noise predictor of faces: the U-Net of Ho et al. 2020 in the size of Song et al. 2021.

It takes images of any size whose sides are divisible by `patch` times 2 to the number of halvings. Only the choice of
the levels with attention depends on the size in training.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcv.diffusion.networks.conditioning import time_embedding

CHANNELS = 128  # at width 1


class UNet(nn.Module):
    """Images x, N x 3 x H x W, and times t, int64 N, to N x 3 x H x W.

    Args:
        width: factor on the 128 channels of the first level, which are rounded to a multiple of 4.
        multipliers: of the channels at each level; each level has half the size of the one before.
        blocks: residual blocks at each level on the way down; one more on the way up.
        attention: sizes of the feature maps at which self-attention follows each block.
        dropout: within residual blocks.
        patch: side of the pixel blocks that enter as channels; 2 halves the size of all feature maps.
        size: side of the images in training, to which `attention` refers.
        epsilon: of GroupNorm.
        last_frequency: of the time, see `time_embedding`.
        centred: whether the convolutions that halve a feature map pad all sides, or the right and the lower one as
            Ho et al.'s code does.
    """

    def __init__(
        self,
        width: float = 1.0,
        multipliers: Sequence[int] = (1, 2, 2, 2, 4),
        blocks: int = 2,
        attention: Sequence[int] = (16,),
        dropout: float = 0.1,
        patch: int = 1,
        size: int = 64,
        epsilon: float = 1e-6,
        last_frequency: bool = True,
        centred: bool = True,
    ):
        super().__init__()
        base = 4 * round(CHANNELS * width / 4)
        levels = [base * multiplier for multiplier in multipliers]
        sizes = [size // patch // 2**level for level in range(len(levels))]
        embedded = 4 * base
        self.base = base
        self.last_frequency = last_frequency
        self.time = nn.Sequential(nn.Linear(base, embedded), nn.SiLU(), nn.Linear(embedded, embedded), nn.SiLU())

        def block(inputs: int, outputs: int, level: int) -> ResidualBlock:
            return ResidualBlock(inputs, outputs, embedded, dropout, sizes[level] in attention)

        self.inward = nn.Sequential(nn.PixelUnshuffle(patch), nn.Conv2d(3 * patch**2, base, 3, padding=1))
        self.down = nn.ModuleList()
        skipped, channels = [base], base
        for level, outputs in enumerate(levels):
            for _ in range(blocks):
                self.down.append(block(channels, outputs, level))
                channels = outputs
                skipped.append(channels)
            if level < len(levels) - 1:
                self.down.append(halving(channels, centred))
                skipped.append(channels)

        self.middle = nn.ModuleList(
            ResidualBlock(channels, channels, embedded, dropout, attends) for attends in (True, False)
        )

        self.up = nn.ModuleList()
        for level, outputs in reversed(list(enumerate(levels))):
            for _ in range(blocks + 1):
                self.up.append(block(channels + skipped.pop(), outputs, level))
                channels = outputs
            if level > 0:
                self.up.append(nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(channels, channels, 3, padding=1)))
        last = zeroed(nn.Conv2d(channels, 3 * patch**2, 3, padding=1))
        self.outward = nn.Sequential(norm(channels), nn.SiLU(), last, nn.PixelShuffle(patch))
        for module in self.modules():
            if isinstance(module, nn.GroupNorm):
                module.eps = epsilon

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        time = self.time(time_embedding(t, self.base, self.last_frequency))
        hidden = self.inward(x)
        skips = [hidden]
        for layer in self.down:
            hidden = layer(hidden, time) if isinstance(layer, ResidualBlock) else layer(hidden)
            skips.append(hidden)
        for layer in self.middle:
            hidden = layer(hidden, time)
        for layer in self.up:
            if isinstance(layer, ResidualBlock):
                hidden = layer(torch.cat([hidden, skips.pop()], dim=1), time)
            else:
                hidden = layer(hidden)
        images: Tensor = self.outward(hidden)
        return images


class ResidualBlock(nn.Module):
    """Two convolutions with the embedded time, N x `embedded`, added between them, then optional self-attention."""

    def __init__(self, inputs: int, outputs: int, embedded: int, dropout: float, attention: bool = False):
        super().__init__()
        self.first = nn.Sequential(norm(inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, padding=1))
        self.time = nn.Linear(embedded, outputs)
        last = zeroed(nn.Conv2d(outputs, outputs, 3, padding=1))
        self.second = nn.Sequential(norm(outputs), nn.SiLU(), nn.Dropout(dropout), last)
        self.shortcut = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)
        self.attention = Attention(outputs) if attention else nn.Identity()

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        hidden = self.first(x) + self.time(time)[:, :, None, None]
        out: Tensor = self.attention(self.shortcut(x) + self.second(hidden))
        return out


class Attention(nn.Module):
    """Self-attention over all positions, with one head."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm = norm(channels)
        self.query_key_value = nn.Conv2d(channels, 3 * channels, 1)
        self.out = zeroed(nn.Conv2d(channels, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        channels, height, width = x.shape[1:]
        # N x C x H x W to N x 1 x HW x C: one head.
        query, key, value = (
            part.flatten(2).transpose(1, 2).unsqueeze(1) for part in self.query_key_value(self.norm(x)).chunk(3, dim=1)
        )
        attended = F.scaled_dot_product_attention(query, key, value)
        out: Tensor = x + self.out(attended.squeeze(1).transpose(1, 2).reshape(-1, channels, height, width))
        return out


def halving(channels: int, centred: bool) -> nn.Module:
    """A convolution that halves height and width, padded on all sides, or on the right and below."""
    if centred:
        return nn.Conv2d(channels, channels, 3, stride=2, padding=1)
    return nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(channels, channels, 3, stride=2))


def norm(channels: int) -> nn.GroupNorm:
    """GroupNorm of 32 groups as in Ho et al., or fewer, so that each has at least 4 channels."""
    return nn.GroupNorm(math.gcd(32, channels // 4), channels, eps=1e-6)


def zeroed(layer: nn.Conv2d) -> nn.Conv2d:
    """Initialise with zeros, so that each residual branch starts at zero (Ho et al.'s code)."""
    nn.init.zeros_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer
