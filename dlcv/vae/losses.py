"""The two terms of a VAE's loss for each image, as pure functions."""

from __future__ import annotations

from torch import Tensor


def squared_error(reconstructions: Tensor, images: Tensor) -> Tensor:
    """Mean squared error over pixels and channels, N, of images N x 3 x H x W in [-1, 1]."""
    return (reconstructions.float() - images.float()).square().mean((1, 2, 3))


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL divergence of N(mean, variance) from N(0, 1) in nats, N, summed over the latent; both arguments are N x D."""
    return (mean.square() + log_variance.exp() - 1 - log_variance).sum(1) / 2
