"""Augmentation: what changes, by how much, and what does not."""

from __future__ import annotations

import torch

from dlcv.adaptation.augment import add_background, add_noise, augment, blend, blur, invert, move, texture
from dlcv.adaptation.config import Augmentation

NOTHING = Augmentation(rotation=0, shear=0, shift=0, scale=0, blend=0, blur=0, background=0, invert=0, noise=0)


def test_zeros_change_nothing() -> None:
    images = torch.rand(4, 3, 28, 28) * 2 - 1
    state = torch.get_rng_state()
    assert augment(images, NOTHING) is images
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.allclose(move(images, 0, 0, 0), images, atol=1e-5)


def test_a_shift_is_in_pixels() -> None:
    image = torch.zeros(500, 1, 28, 28)
    image[:, :, 14, 14] = 1
    moved = move(image, rotation=0, shift=3, scale=0)
    rows = torch.arange(28.0).view(28, 1)
    centres = (moved * rows).sum((1, 2, 3)) / moved.sum((1, 2, 3))
    assert 10.9 <= centres.min() < 11.3 and 16.7 < centres.max() <= 17.1


def test_scale_enlarges_and_shrinks_by_its_factor() -> None:
    image = torch.zeros(500, 1, 28, 28)
    image[:, :, 9:19, 9:19] = 1
    area = move(image, rotation=0, shift=0, scale=0.3).sum((1, 2, 3)) / 100
    assert 0.5 < area.min() < 0.62 and 1.65 < area.max() < 1.9  # exp(-0.6) and exp(0.6)


def test_inversion_is_of_whole_channels_in_the_given_fraction() -> None:
    images = torch.rand(1000, 3, 2, 2) + 0.1
    flipped = (invert(images, 0.25) < 0).flatten(2)
    assert torch.equal(flipped.any(2), flipped.all(2))
    assert 0.2 < flipped.float().mean() < 0.3


def test_background_is_in_standard_deviations_of_the_image() -> None:
    image = torch.randn(500, 3, 28, 28) * 0.2 + 0.5
    added = (add_background(image, 1.0) - image).std((2, 3)) / image.std((2, 3))
    assert added.max() < 2 and 0.2 < added.mean() < 0.6
    assert torch.equal(add_background(torch.full((2, 3, 28, 28), 0.3), 1.0), torch.full((2, 3, 28, 28), 0.3))


def test_a_blend_is_the_recipe_of_mnistm_on_the_given_fraction() -> None:
    black, white = torch.full((400, 3, 28, 28), -1.0), torch.ones(400, 3, 28, 28)
    torch.manual_seed(0)
    on_black = blend(black, 1.0)
    torch.manual_seed(0)
    on_white = blend(white, 1.0)
    # Black leaves the texture as it is, white inverts it.
    assert torch.allclose(on_black, -on_white, atol=1e-6)
    assert on_black.abs().max() <= 1 and on_black.std((1, 2, 3)).mean() > 0.1
    changed = (blend(black, 0.25) != black).flatten(1).any(1)
    assert 0.15 < changed.float().mean() < 0.35
    colours = torch.rand(400, 3, 28, 28) * 2 - 1
    assert torch.equal(blend(colours, 1.0), colours)
    textures = texture(black)
    assert textures.min() >= 0 and textures.max() <= 1


def test_a_blur_smooths_the_given_fraction_and_keeps_the_brightness() -> None:
    images = torch.zeros(1000, 3, 9, 9)
    images[:, :, 4, 4] = 16
    blurred = blur(images, 0.5)
    peaks = blurred[:, 0, 4, 4]
    assert torch.allclose(blurred.sum((2, 3)), images.sum((2, 3)))
    # The square of (1/4, 1/2, 1/4) has 1/4 in its middle; that of (1, 4, 6, 4, 1)/16 has 9/64.
    shares = [(peaks == peak).float().mean().item() for peak in (16.0, 4.0, 2.25)]
    assert sum(shares) == 1 and 0.45 < shares[0] < 0.55 and 0.2 < shares[1] < 0.3


def test_shear_slants_and_noise_is_in_standard_deviations_of_the_image() -> None:
    image = torch.zeros(300, 1, 28, 28)
    image[:, :, 4, 14] = image[:, :, 23, 14] = 1
    moved = move(image, rotation=0, shift=0, scale=0, shear=0.3)
    columns = torch.arange(28.0)
    top, bottom = (
        (part * columns).sum((1, 2, 3)) / part.sum((1, 2, 3)) for part in (moved[:, :, :14], moved[:, :, 14:])
    )
    assert 4.0 < (top - bottom).abs().max() < 6.0  # 0.3 of 19 rows
    plain = torch.randn(300, 3, 28, 28) * 0.2
    added = (add_noise(plain, 0.5) - plain).std((1, 2, 3)) / plain.std((1, 2, 3))
    assert added.max() <= 0.51 and 0.2 < added.mean() < 0.3
