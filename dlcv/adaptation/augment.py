"""Random changes of training pictures, the same for source and target."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from dlcv.adaptation.sections import Augmentation


def augment(pictures: Tensor, settings: Augmentation) -> Tensor:
    """Change pictures in [-1, 1], N x 3 x H x W, each in its own way, as `settings` allow."""
    if settings.rotation or settings.shift or settings.scale:
        pictures = move(pictures, settings.rotation, settings.shift, settings.scale)
    if settings.background:
        pictures = add_background(pictures, settings.background)
    if settings.invert:
        pictures = invert(pictures, settings.invert)
    return pictures


def move(pictures: Tensor, rotation: float, shift: float, scale: float) -> Tensor:
    """Rotate, shift and scale each picture at random; the border is repeated where the picture ends.

    Args:
        pictures: N x C x H x W, square.
        rotation: degrees, at most, either way.
        shift: pixels, at most, along each axis, either way.
        scale: natural logarithm of the factor, at most, either way; digits fill a USPS picture and not an MNIST one.
    """
    count, size = len(pictures), pictures.shape[-1]

    def uniform(largest: float) -> Tensor:
        return (2 * torch.rand(count, device=pictures.device) - 1) * largest

    angle, factor = uniform(math.radians(rotation)), uniform(scale).exp()
    cosine, sine = angle.cos() * factor, angle.sin() * factor
    # affine_grid measures in half pictures: the whole is 2 wide.
    across, down = uniform(2 * shift / size), uniform(2 * shift / size)
    matrices = torch.stack([torch.stack([cosine, -sine, across], 1), torch.stack([sine, cosine, down], 1)], 1)
    grid = F.affine_grid(matrices, list(pictures.shape), align_corners=False)
    return F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)


def add_background(pictures: Tensor, strength: float) -> Tensor:
    """Add a smooth random field of colours to each picture, N x C x H x W.

    A source of grey digits on black knows nothing of textured, coloured backgrounds; this shows it some.

    Args:
        strength: largest factor of the field, whose colours are drawn from a normal distribution with
            the picture's own standard deviation; each picture draws its factor below that.
    """
    count, channels, height, width = pictures.shape
    # Five random colours a side, blown up: structure larger than a stroke.
    field = torch.randn(count, channels, 5, 5, device=pictures.device, dtype=pictures.dtype)
    field = F.interpolate(field, size=(height, width), mode="bicubic", align_corners=False)
    amount = strength * torch.rand(count, 1, 1, 1, device=pictures.device) * pictures.std((2, 3), keepdim=True)
    return pictures + amount * field


def invert(pictures: Tensor, share: float) -> Tensor:
    """Invert the brightness of a random `share` of the channels of pictures around 0, N x C x H x W.

    MNIST-M's recipe inverts a photograph where the digit is, so a stroke is darker than its
    surroundings in one channel and brighter in another; a network that has seen both reads the
    stroke and not its sign.
    """
    chosen = torch.rand(*pictures.shape[:2], 1, 1, device=pictures.device) < share
    return torch.where(chosen, -pictures, pictures)
