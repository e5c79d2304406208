"""Augmentation: what moves, by how much, and what stays."""

from __future__ import annotations

import torch

from dlcv.adaptation.augment import add_background, augment, invert, move
from dlcv.adaptation.sections import Augmentation

NOTHING = Augmentation(rotation=0, shift=0, scale=0, background=0, invert=0)


def test_nothing_asked_nothing_changed() -> None:
    pictures = torch.rand(4, 3, 28, 28) * 2 - 1
    state = torch.get_rng_state()
    assert augment(pictures, NOTHING) is pictures
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.allclose(move(pictures, 0, 0, 0), pictures, atol=1e-5)


def test_a_shift_is_in_pixels() -> None:
    picture = torch.zeros(500, 1, 28, 28)
    picture[:, :, 14, 14] = 1
    moved = move(picture, rotation=0, shift=3, scale=0)
    rows = torch.arange(28.0).view(28, 1)
    centres = (moved * rows).sum((1, 2, 3)) / moved.sum((1, 2, 3))
    assert 10.9 <= centres.min() < 11.3 and 16.7 < centres.max() <= 17.1


def test_scale_enlarges_and_shrinks_by_its_factor() -> None:
    picture = torch.zeros(500, 1, 28, 28)
    picture[:, :, 9:19, 9:19] = 1
    area = move(picture, rotation=0, shift=0, scale=0.3).sum((1, 2, 3)) / 100
    assert 0.5 < area.min() < 0.62 and 1.65 < area.max() < 1.9  # exp(-0.6) and exp(0.6)


def test_inversion_is_of_whole_channels_in_the_given_share() -> None:
    pictures = torch.rand(1000, 3, 2, 2) + 0.1
    flipped = (invert(pictures, 0.25) < 0).flatten(2)
    assert torch.equal(flipped.any(2), flipped.all(2))
    assert 0.2 < flipped.float().mean() < 0.3


def test_background_is_in_units_of_the_pictures_own_deviation() -> None:
    picture = torch.randn(500, 3, 28, 28) * 0.2 + 0.5
    added = (add_background(picture, 1.0) - picture).std((2, 3)) / picture.std((2, 3))
    assert added.max() < 2 and 0.2 < added.mean() < 0.6
    assert torch.equal(add_background(torch.full((2, 3, 28, 28), 0.3), 1.0), torch.full((2, 3, 28, 28), 0.3))
