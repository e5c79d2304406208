"""Random changes of training images."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from dlcv.adaptation.config import Augmentation

GREY = 0.02  # maximum difference between the channels of a grey image in [-1, 1]


def augment(images: Tensor, settings: Augmentation) -> Tensor:
    """Images in [-1, 1], N x C x H x W, each with its own random changes."""
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
    """Rotate, shear, scale and shift each image at random. Pixels outside an image repeat its border.

    Args:
        images: N x C x H x W, square.
        rotation: maximum, in degrees.
        shift: maximum along each axis, in pixels.
        scale: maximum of the factor's natural logarithm; digits fill a USPS image but not an MNIST image.
        shear: maximum shift of one side against the other, as a fraction of the height.
    """
    count, size = len(images), images.shape[-1]

    def uniform(maximum: float) -> Tensor:
        return (2 * torch.rand(count, device=images.device) - 1) * maximum

    angle, factor = uniform(math.radians(rotation)), uniform(scale).exp()
    cosine, sine = angle.cos() * factor, angle.sin() * factor
    # An image is 2 wide in the units of affine_grid.
    across, down = uniform(2 * shift / size), uniform(2 * shift / size)
    # Without shear no random number is drawn, so that trainings without it keep their results.
    slant = uniform(shear) if shear else torch.zeros_like(cosine)
    rows = [[cosine, slant * cosine - sine, across], [sine, slant * sine + cosine, down]]
    matrices = torch.stack([torch.stack(row, 1) for row in rows], 1)
    grid = F.affine_grid(matrices, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def blend(images: Tensor, fraction: float) -> Tensor:
    """Blend a random fraction of the grey images in [-1, 1], N x C x H x W, into random textures: |image - texture|.

    MNIST-M is made in this way from MNIST digits and photographs (Ganin et al. 2016, section 5.2.4). A grey digit on
    black becomes a digit on a texture that it inverts; no image of the target is needed. Coloured images stay as they
    are, because the absolute value would mix digit and background.
    """
    grey = (images.amax(1) - images.amin(1)).amax((1, 2)) < GREY
    chosen = (torch.rand(len(images), device=images.device) < fraction) & grey
    # In [0, 1], where black keeps the texture and white inverts it.
    blended = ((images + 1) / 2 - texture(images)).abs()
    return torch.where(chosen.view(-1, 1, 1, 1), 2 * blended - 1, images)


def texture(like: Tensor) -> Tensor:
    """Random textures in [0, 1] of the shape of `like`, N x C x H x W: noise of several scales around a random colour.

    As in photographs, brightness varies more than colour within a texture, and large structures are the strongest.
    """
    count, colours, height, width = like.shape

    def noise(channels: int, cells: int) -> Tensor:
        drawn = torch.randn(count, channels, cells, cells, device=like.device, dtype=like.dtype)
        return F.interpolate(drawn, size=(height, width), mode="bilinear", align_corners=False)

    def uniform(maximum: float) -> Tensor:
        return maximum * torch.rand(count, 1, 1, 1, device=like.device, dtype=like.dtype)

    brightness = sum((uniform(maximum) * noise(1, cells) for cells, maximum in ((3, 0.3), (7, 0.25), (14, 0.2))))
    grey, colour = uniform(1.0), 0.15 * torch.randn(count, colours, 1, 1, device=like.device, dtype=like.dtype)
    return (grey + colour + brightness + uniform(0.15) * noise(colours, 5)).clamp(0, 1)


def blur(images: Tensor, fraction: float) -> Tensor:
    """Smooth a random fraction of images, N x C x H x W, with a 3 x 3 binomial filter: half of them once, half twice.

    The images of the domains were scanned, photographed and scaled, and differ in sharpness.
    """
    # 1/4, 1/2, 1/4: made where the images are, because a copy from the host makes the device wait.
    row = 0.5 - 0.25 * torch.arange(-1, 2, device=images.device, dtype=images.dtype).abs()
    kernel = row.outer(row).expand(images.shape[1], 1, 3, 3)

    def smooth(sharp: Tensor) -> Tensor:
        return F.conv2d(F.pad(sharp, (1, 1, 1, 1), mode="replicate"), kernel, groups=sharp.shape[1])

    drawn = torch.rand(len(images), 1, 1, 1, device=images.device)
    once = smooth(images)
    return torch.where(drawn < fraction / 2, smooth(once), torch.where(drawn < fraction, once, images))


def add_background(images: Tensor, strength: float) -> Tensor:
    """Add a smooth random colour field to each image, N x C x H x W.

    A source of grey digits on black has no coloured or textured backgrounds, but the target may have.

    Args:
        strength: maximum of the field's random factor, in standard deviations of the image.
    """
    count, channels, height, width = images.shape
    # 5 x 5 random colours, enlarged: the structures are larger than a stroke.
    field = torch.randn(count, channels, 5, 5, device=images.device, dtype=images.dtype)
    field = F.interpolate(field, size=(height, width), mode="bicubic", align_corners=False)
    amount = strength * torch.rand(count, 1, 1, 1, device=images.device) * images.std((2, 3), keepdim=True)
    return images + amount * field


def invert(images: Tensor, fraction: float) -> Tensor:
    """Invert a random fraction of the channels of images in [-1, 1], N x C x H x W.

    In MNIST-M a digit inverts a photograph, so a stroke may be darker than its surroundings in one channel and brighter
    in another. A network that has seen both depends on the stroke and not on its sign.
    """
    chosen = torch.rand(*images.shape[:2], 1, 1, device=images.device) < fraction
    return torch.where(chosen, -images, images)


def add_noise(images: Tensor, strength: float) -> Tensor:
    """Add normal noise to images, N x C x H x W.

    Args:
        strength: maximum of the noise's random standard deviation, in standard deviations of the image.
    """
    amount = strength * torch.rand(len(images), 1, 1, 1, device=images.device)
    return images + amount * images.std((1, 2, 3), keepdim=True) * torch.randn_like(images)
