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
    return invert(pictures, settings.invert)


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


def invert(pictures: Tensor, share: float) -> Tensor:
    """Invert the brightness of a random `share` of pictures in [-1, 1], N x 3 x H x W.

    Digits are bright on dark in one domain and either way in another; a network that has seen both
    reads the stroke and not its sign.
    """
    if share == 0:
        return pictures
    chosen = torch.rand(len(pictures), 1, 1, 1, device=pictures.device) < share
    return torch.where(chosen, -pictures, pictures)
