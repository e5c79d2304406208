"""Differentiable augmentation of what the discriminator sees."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from dlcv.gan import step as step_module
from dlcv.gan.augment import AUGMENTATIONS, augmented
from tests.gan.test_step import method, shown, step

pytestmark = pytest.mark.slow


def images(count: int = 200, seed: int = 0) -> Tensor:
    return torch.rand(count, 3, 64, 64, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_no_augmentation_draws_no_random_numbers() -> None:
    before, made = torch.get_rng_state(), images(4)
    assert augmented(made, []) is made and torch.equal(torch.get_rng_state(), before)


def test_a_translation_shifts_each_image_by_up_to_an_eighth_and_fills_with_zeros() -> None:
    torch.manual_seed(0)
    before = images()
    after = augmented(before, ["translation"])
    padded = F.pad(before, (8, 8, 8, 8))
    shifts = []
    for index in range(len(before)):
        same = [
            (down, right)
            for down in range(-8, 9)
            for right in range(-8, 9)
            if torch.equal(padded[index, :, 8 - down : 72 - down, 8 - right : 72 - right], after[index])
        ]
        assert len(same) == 1
        shifts += same
    for axis in zip(*shifts, strict=True):
        assert set(axis) >= {-8, 0, 8} and len(set(axis)) == 17


def test_a_cutout_erases_at_most_a_square_of_half_the_side_anywhere() -> None:
    torch.manual_seed(0)
    erased = (augmented(torch.ones(500, 3, 64, 64), ["cutout"]) == 0).all(1)
    height, width = erased.any(2).sum(1), erased.any(1).sum(1)
    assert torch.equal(erased.sum((1, 2)), height * width)  # a rectangle
    assert height.max() == width.max() == 32 and height.min() >= 16 and width.min() >= 16
    assert erased.any(0).all()  # each pixel in some image


def test_colour_changes_brightness_saturation_and_contrast_within_their_ranges() -> None:
    torch.manual_seed(0)
    before = images(1000)
    after = augmented(before, ["color"])
    brightness = after.mean((1, 2, 3)) - before.mean((1, 2, 3))
    assert brightness.min() == pytest.approx(-0.5, abs=0.02) and brightness.max() == pytest.approx(0.5, abs=0.02)

    def grey(x: Tensor) -> Tensor:
        centred = x.mean(1)
        return centred - centred.mean((1, 2), keepdim=True)

    contrast = grey(after).std((1, 2)) / grey(before).std((1, 2))
    assert contrast.min() == pytest.approx(0.5, abs=0.02) and contrast.max() == pytest.approx(1.5, abs=0.02)
    saturation = (after - after.mean(1, keepdim=True)).std((1, 2, 3)) / contrast
    saturation = saturation / (before - before.mean(1, keepdim=True)).std((1, 2, 3))
    assert saturation.min() < 0.02 and saturation.max() == pytest.approx(2, abs=0.02)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_the_gradient_passes_through(name: str) -> None:
    torch.manual_seed(0)
    made = images(8).requires_grad_()
    augmented(made, [name]).square().sum().backward()
    assert made.grad is not None and made.grad.isfinite().all()
    assert (made.grad != 0).float().mean() > 0.4


@pytest.mark.parametrize("model", ["dcgan", "wgan-gp"])
def test_the_discriminator_sees_only_augmented_images(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def marked(images: Tensor, names: Any) -> Tensor:
        assert names == ["color"]
        return images + 10

    monkeypatch.setattr(step_module, "augmented", marked)
    made = method(model, changes={"augment": ["color"], "image_noise_std": 0.0})
    seen = shown(made.networks["discriminator"])
    between = []
    critic = made.critic
    monkeypatch.setattr(made, "critic", lambda images: between.append(images.detach()) or critic(images))
    step(made)
    assert len(seen) == 3 and all(batch.min() > 8 for batch in seen + between)
    assert len(between) == (1 if model == "wgan-gp" else 0)
