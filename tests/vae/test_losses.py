"""The two terms of the loss against closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from dlcv.vae.losses import divergence, squared_error


def test_divergence_of_two_units_by_hand() -> None:
    # Means 1 and 0, variances 1 and 4: (1 + 0)/2 + (0 + 4 - 1 - ln 4)/2.
    value = divergence(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, math.log(4)]]))
    assert value.shape == (1,) and float(value) == pytest.approx(1.306853, abs=1e-6)


def test_divergence_is_torchs_summed_over_the_latent() -> None:
    mean, log_variance = torch.randn(5, 9), torch.randn(5, 9)
    expected = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).sum(1)  # type: ignore[no-untyped-call]
    assert torch.allclose(divergence(mean, log_variance), expected, atol=1e-5)
    assert torch.equal(divergence(torch.zeros(2, 9), torch.zeros(2, 9)), torch.zeros(2))


def test_error_is_the_mean_over_pixels_and_channels_of_each_image() -> None:
    images = torch.zeros(2, 3, 64, 64)
    made = images.clone()
    made[0] = 0.5
    made[1, 0] = 0.3  # one channel of three
    assert squared_error(made, images).tolist() == pytest.approx([0.25, 0.03])
    # From black to white: the largest error.
    assert squared_error(images + 1, images - 1).tolist() == [4.0, 4.0]
    assert squared_error(made.bfloat16(), images).dtype == torch.float32
