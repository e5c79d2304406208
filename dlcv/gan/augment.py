"""Differentiable augmentation of all images that a discriminator sees (Zhao et al. 2020, "DiffAugment").

With few real images, a discriminator soon knows them by heart. Augmented real images alone would teach the generator
the augmentation; here the generated images are augmented too, and the generator's gradient passes through it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

SHIFT = 1 / 8  # maximum, as a fraction of the side
CUT = 1 / 2  # side of the erased square, as a fraction of the image's


def augmented(images: Tensor, names: Sequence[str]) -> Tensor:
    """Images after the augmentations `names`, keys of `AUGMENTATIONS`, in their order.

    Args:
        images: N x C x H x W in [-1, 1]; each image has random numbers of its own.
    """
    for name in names:
        images = AUGMENTATIONS[name](images)
    return images


def color(images: Tensor) -> Tensor:
    """Random brightness (up to 0.5 more or less), saturation (factor 0 to 2) and contrast (factor 0.5 to 1.5)."""
    brightness, saturation, contrast = torch.rand(3, len(images), 1, 1, 1, device=images.device)
    images = images + brightness - 0.5
    grey = images.mean(1, keepdim=True)
    images = grey + 2 * saturation * (images - grey)
    mean = images.mean((1, 2, 3), keepdim=True)
    changed: Tensor = mean + (contrast + 0.5) * (images - mean)
    return changed


def translation(images: Tensor) -> Tensor:
    """Random shifts by whole pixels; what comes in from outside is 0."""
    height, width = images.shape[2:]
    down, right = (
        _integers(len(images), -round(size * SHIFT), round(size * SHIFT), images) for size in (height, width)
    )
    # The pixel centres of the output, in the coordinates of the input, where the image spans [-1, 1].
    y = (2 * (_range(height, images) - down) + 1) / height - 1
    x = (2 * (_range(width, images) - right) + 1) / width - 1
    grid = torch.stack([x[:, None].expand(-1, height, -1), y[..., None].expand(-1, -1, width)], dim=-1)
    return F.grid_sample(images, grid, mode="nearest", align_corners=False)


def cutout(images: Tensor) -> Tensor:
    """A square at a random place is 0 (DeVries and Taylor 2017); a part of it may lie outside the image."""
    inside = []
    for size in images.shape[2:]:
        side = round(size * CUT)
        start = _integers(len(images), -(side // 2), size - (side + 1) // 2, images)
        place = _range(size, images)
        inside.append((place >= start) & (place < start + side))
    erased = inside[0][:, None, :, None] & inside[1][:, None, None, :]
    return images * ~erased


AUGMENTATIONS = {"color": color, "translation": translation, "cutout": cutout}


def _integers(count: int, low: int, high: int, images: Tensor) -> Tensor:
    """Uniform in [low, high], N x 1."""
    return torch.randint(low, high + 1, (count, 1), device=images.device)


def _range(size: int, images: Tensor) -> Tensor:
    return torch.arange(size, device=images.device)[None]
