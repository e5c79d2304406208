"""What generators start from: seeded noise, one item at a time, and paths between two latents."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import torch
from torch import Tensor

SMALL = 1e-6  # of the sine of an angle: below it slerp divides by nearly nothing


def normal(count: int, shape: Sequence[int], seed: int) -> Tensor:
    """Standard normal noise, count x shape. The first n items of a seed are the same for every count."""
    # Item by item, so that none depends on how many are drawn.
    generator = torch.Generator().manual_seed(seed)
    return torch.stack([torch.randn(*shape, generator=generator) for _ in range(count)])


def seeds_of(names: Sequence[str], seed: int) -> list[int]:
    """A seed for each image from its name: its noise is the same whatever is drawn beside it."""
    # 32 bits: torch's generator on the CPU reads no more of its seed.
    return [zlib.crc32(f"{seed}/{name}".encode()) for name in names]


def lerp(a: Tensor, b: Tensor, alpha: float) -> Tensor:
    """The straight line (1 - alpha) a + alpha b, for latents N x ...

    Halfway between two latents of N(0, 1) its norm is 0.71 of theirs.
    """
    return torch.lerp(a, b, alpha)


def slerp(a: Tensor, b: Tensor, alpha: float) -> Tensor:
    """The great circle between latents, N x ... (Shoemake 1985), which keeps their norm where both have the same.

    Each item has its own angle, that between the flattened latents. Where the two point the same way, or opposite
    ways, it is the straight line.
    """
    cosine = torch.cosine_similarity(a.flatten(1).double(), b.flatten(1).double(), dim=1)
    angle = cosine.clamp(-1, 1).acos().view(-1, *[1] * (a.dim() - 1))
    sine = angle.sin()
    degenerate = sine < SMALL
    sine = sine.where(~degenerate, 1.0)
    weights = [((1 - alpha) * angle).sin() / sine, (alpha * angle).sin() / sine]
    arc = weights[0].to(a.dtype) * a + weights[1].to(b.dtype) * b
    return torch.where(degenerate, lerp(a, b, alpha), arc)
