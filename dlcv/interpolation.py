"""Ways from one latent to another. Both take batches, N x ..., and each item goes its own way."""

from __future__ import annotations

import torch
from torch import Tensor

SMALL = 1e-6  # of the sine of an angle: below it the formula divides by nearly nothing


def lerp(a: Tensor, b: Tensor, alpha: float) -> Tensor:
    """The straight line, (1 - alpha) a + alpha b: half-way between latents of N(0, 1) the norm is 0.71 of theirs."""
    return torch.lerp(a, b, alpha)


def slerp(a: Tensor, b: Tensor, alpha: float) -> Tensor:
    """The great circle (Shoemake 1985), which keeps the norm where the ends have the same.

    The angle is that between the flattened items, one for each: a whole batch has none. Where the ends point the
    same way (or opposite ways, between which no great circle is the shortest) it is the straight line.
    """
    cosine = torch.cosine_similarity(a.flatten(1).double(), b.flatten(1).double(), dim=1)
    angle = cosine.clamp(-1, 1).acos().view(-1, *[1] * (a.dim() - 1))
    sine = angle.sin()
    degenerate = sine < SMALL
    sine = sine.where(~degenerate, 1.0)
    weights = [((1 - alpha) * angle).sin() / sine, (alpha * angle).sin() / sine]
    arc = weights[0].to(a.dtype) * a + weights[1].to(b.dtype) * b
    return torch.where(degenerate, lerp(a, b, alpha), arc)
