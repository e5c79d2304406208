"""The two terms that a VAE minimises, for each image, as pure functions."""

from __future__ import annotations

from torch import Tensor


def squared_error(reconstructions: Tensor, images: Tensor) -> Tensor:
    """Mean squared error over pixels and channels; N x 3 x H x W in [-1, 1] both, N."""
    return (reconstructions.float() - images.float()).square().mean((1, 2, 3))


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL divergence of N(mean, variance) from N(0, 1) in nats, summed over the latent; N x D both, N."""
    return (mean.square() + log_variance.exp() - 1 - log_variance).sum(1) / 2
