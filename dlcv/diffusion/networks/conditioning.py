"""How time and class enter a network: as vectors, and in adaptive networks by scale and shift in every block."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CLASSES = 10
NONE = -1  # the label of an image without a class; each network encodes it in its own way


def time_embedding(t: Tensor, dimensions: int, last_frequency: bool = True) -> Tensor:
    """Sines, then cosines, of `t` at frequencies from 1 to 1/10,000 (Vaswani et al. 2017); float32 N x D, D even.

    Args:
        last_frequency: whether 1/10,000 is the last of the frequencies, as in Ho et al.'s code, or the one after it.
    """
    half = dimensions // 2
    spaces = half - 1 if last_frequency else half
    frequencies = torch.exp(torch.arange(half, device=t.device) * (-math.log(10_000) / spaces))
    angles = t[:, None].float() * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def one_hot(labels: Tensor) -> Tensor:
    """float32 N x 10 of labels, int64 N; all zeros for `NONE`."""
    return (F.one_hot(labels.clamp(min=0), CLASSES) * (labels != NONE)[:, None]).float()


class Condition(nn.Module):
    """Time and class as one vector, N x `size`, for adaptive networks (in no report)."""

    def __init__(self, size: int):
        super().__init__()
        self.size = size
        self.time = nn.Sequential(nn.Linear(size, size), nn.SiLU(), nn.Linear(size, size))
        # Entry 0 is the absent class and stays zero. The others start with a standard deviation of 1, beside about 0.1
        # for the time, so that the network learns the class first.
        self.label = nn.Embedding(CLASSES + 1, size, padding_idx=0)

    def forward(self, t: Tensor, labels: Tensor) -> Tensor:
        both: Tensor = self.time(time_embedding(t, self.size)) + self.label(labels + 1)
        return F.silu(both)


class Modulation(nn.Module):
    """Scale and shift of each channel by a condition, after a normalisation (adaptive group normalisation: Dhariwal
    and Nichol 2021)."""

    def __init__(self, condition: int, channels: int):
        super().__init__()
        self.linear = nn.Linear(condition, 2 * channels)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        scale, shift = self.linear(condition)[:, :, None, None].chunk(2, dim=1)
        out: Tensor = x * (1 + scale) + shift
        return out
