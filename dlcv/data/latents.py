"""Seeded latents of the generative models, and interpolation between two latents."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import torch
from torch import Tensor

MIN_SINE = 1e-6  # below it, slerp would divide by almost zero


def normal(count: int, shape: Sequence[int], seed: int) -> Tensor:
    """Standard normal latents, count x shape, float32. The first n are the same for every count."""
    # Drawn one by one, so that none depends on the count.
    generator = torch.Generator().manual_seed(seed)
    return torch.stack([torch.randn(*shape, generator=generator) for _ in range(count)])


def seeds_of(names: Sequence[str], seed: int) -> list[int]:
    """A seed for each image, from its name, so that its noise does not depend on the other images."""
    # 32 bits: torch's CPU generator uses no more of a seed.
    return [zlib.crc32(f"{seed}/{name}".encode()) for name in names]


def lerp(a: Tensor, b: Tensor, alpha: float) -> Tensor:
    """Linear interpolation (1 - alpha) a + alpha b of latents, N x ...

    Halfway between two independent standard normal latents, the norm is about 0.71 times theirs.
    """
    return torch.lerp(a, b, alpha)


def slerp(a: Tensor, b: Tensor, alpha: float) -> Tensor:
    """Spherical interpolation of latents, N x ... (Shoemake 1985). It keeps the norm if both have the same norm.

    The angle of each item is the one between its two flattened latents. Parallel and opposite latents are
    interpolated linearly.
    """
    cosine = torch.cosine_similarity(a.flatten(1).double(), b.flatten(1).double(), dim=1)
    angle = cosine.clamp(-1, 1).acos().view(-1, *[1] * (a.dim() - 1))
    sine = angle.sin()
    degenerate = sine < MIN_SINE
    sine = sine.where(~degenerate, 1.0)
    weights = [((1 - alpha) * angle).sin() / sine, (alpha * angle).sin() / sine]
    arc = weights[0].to(a.dtype) * a + weights[1].to(b.dtype) * b
    return torch.where(degenerate, lerp(a, b, alpha), arc)
