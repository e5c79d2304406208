"""Random changes of training images."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from dlcv.adaptation.config import Augmentation

GREY = 0.02  # largest difference between the channels of a grey image in [-1, 1]


def augment(images: Tensor, settings: Augmentation) -> Tensor:
    """Change images in [-1, 1], N x C x H x W, each in its own way, as `settings` allow."""
    if settings.rotation or settings.shear or settings.shift or settings.scale:
        images = move(images, settings.rotation, settings.shift, settings.scale, settings.shear)
    if settings.blend:
        images = blend(images, settings.blend)
    if settings.blur:
        images = blur(images, settings.blur)
    if settings.background:
        images = add_background(images, settings.background)
    if settings.invert:
        images = invert(images, settings.invert)
    if settings.noise:
        images = add_noise(images, settings.noise)
    return images


def move(images: Tensor, rotation: float, shift: float, scale: float, shear: float = 0.0) -> Tensor:
    """Rotate, shear, scale and shift each image at random; the border is repeated where the image ends.

    Args:
        images: N x C x H x W, square.
        rotation: degrees, at most, either way.
        shift: pixels, at most, along each axis, either way.
        scale: natural logarithm of the factor, at most, either way; digits fill a USPS image and not an MNIST one.
        shear: the slant that is added, as a share of the height, at most, either way.
    """
    count, size = len(images), images.shape[-1]

    def uniform(largest: float) -> Tensor:
        return (2 * torch.rand(count, device=images.device) - 1) * largest

    angle, factor = uniform(math.radians(rotation)), uniform(scale).exp()
    cosine, sine = angle.cos() * factor, angle.sin() * factor
    # affine_grid measures in half images: the whole is 2 wide.
    across, down = uniform(2 * shift / size), uniform(2 * shift / size)
    # No random number where there is no shear, so that what was trained without it stays what it was.
    slant = uniform(shear) if shear else torch.zeros_like(cosine)
    rows = [[cosine, slant * cosine - sine, across], [sine, slant * sine + cosine, down]]
    matrices = torch.stack([torch.stack(row, 1) for row in rows], 1)
    grid = F.affine_grid(matrices, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def blend(images: Tensor, share: float) -> Tensor:
    """Take a random `share` of the grey images in [-1, 1], N x C x H x W, off a random texture, in absolute value.

    MNIST-M is made so, of MNIST digits and photographs (Ganin et al. 2016, section 5.2.4). A grey
    digit on black becomes one on a texture that it inverts, and no image of the target is needed. In a
    image that has colours already, digit and ground would be folded onto each other.
    """
    grey = (images.amax(1) - images.amin(1)).amax((1, 2)) < GREY
    chosen = (torch.rand(len(images), device=images.device) < share) & grey
    # In [0, 1], where black leaves the texture as it is and white inverts it.
    blended = ((images + 1) / 2 - texture(images)).abs()
    return torch.where(chosen.view(-1, 1, 1, 1), 2 * blended - 1, images)


def texture(like: Tensor) -> Tensor:
    """Random textures in [0, 1] of the shape of `like`, N x C x H x W: noise of three scales around a random colour.

    As in photographs, most of what changes within a texture is brightness, and large structures are the strongest.
    """
    count, colours, height, width = like.shape

    def noise(channels: int, cells: int) -> Tensor:
        drawn = torch.randn(count, channels, cells, cells, device=like.device, dtype=like.dtype)
        return F.interpolate(drawn, size=(height, width), mode="bilinear", align_corners=False)

    def uniform(largest: float) -> Tensor:
        return largest * torch.rand(count, 1, 1, 1, device=like.device, dtype=like.dtype)

    brightness = sum((uniform(largest) * noise(1, cells) for cells, largest in ((3, 0.3), (7, 0.25), (14, 0.2))))
    grey, colour = uniform(1.0), 0.15 * torch.randn(count, colours, 1, 1, device=like.device, dtype=like.dtype)
    return (grey + colour + brightness + uniform(0.15) * noise(colours, 5)).clamp(0, 1)


def blur(images: Tensor, share: float) -> Tensor:
    """Smooth a random `share` of images, N x C x H x W, half of them once, half twice, by a 3 x 3 binomial.

    The domains were scanned, photographed and scaled, and differ in how sharp they are.
    """
    row = images.new_tensor([0.25, 0.5, 0.25])
    kernel = row.outer(row).expand(images.shape[1], 1, 3, 3)

    def smooth(sharp: Tensor) -> Tensor:
        return F.conv2d(F.pad(sharp, (1, 1, 1, 1), mode="replicate"), kernel, groups=sharp.shape[1])

    drawn = torch.rand(len(images), 1, 1, 1, device=images.device)
    once = smooth(images)
    return torch.where(drawn < share / 2, smooth(once), torch.where(drawn < share, once, images))


def add_background(images: Tensor, strength: float) -> Tensor:
    """Add a smooth random field of colours to each image, N x C x H x W.

    A source of grey digits on black knows nothing of textured, coloured backgrounds; this shows it some.

    Args:
        strength: largest factor of the field, whose colours are drawn from a normal distribution with
            the image's own standard deviation; each image draws its factor below that.
    """
    count, channels, height, width = images.shape
    # Five random colours a side, blown up: structure larger than a stroke.
    field = torch.randn(count, channels, 5, 5, device=images.device, dtype=images.dtype)
    field = F.interpolate(field, size=(height, width), mode="bicubic", align_corners=False)
    amount = strength * torch.rand(count, 1, 1, 1, device=images.device) * images.std((2, 3), keepdim=True)
    return images + amount * field


def invert(images: Tensor, share: float) -> Tensor:
    """Invert the brightness of a random `share` of the channels of images around 0, N x C x H x W.

    MNIST-M's recipe inverts a photograph where the digit is, so a stroke is darker than its
    surroundings in one channel and brighter in another; a network that has seen both reads the
    stroke and not its sign.
    """
    chosen = torch.rand(*images.shape[:2], 1, 1, device=images.device) < share
    return torch.where(chosen, -images, images)


def add_noise(images: Tensor, strength: float) -> Tensor:
    """Add noise to every value of images, N x C x H x W.

    Args:
        strength: largest deviation of the noise in units of the image's own; each image draws its own below that.
    """
    amount = strength * torch.rand(len(images), 1, 1, 1, device=images.device)
    return images + amount * images.std((1, 2, 3), keepdim=True) * torch.randn_like(images)
