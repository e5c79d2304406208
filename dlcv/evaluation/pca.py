"""Principal components of images: the linear autoencoder, and the Gaussian that is the simplest generator.

Of all linear codes of equal size they have the least squared error on the images that they are fitted to. What a
network reaches beyond them is what its nonlinearity is worth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.decomposition import PCA

BATCH = 256  # images


@dataclass(frozen=True)
class Components:
    """The mean image and the principal components of training images.

    Attributes:
        shape: of an image, H x W x 3.
        model: scikit-learn's PCA of pixels in [-1, 1], float64; its `components_` are orthonormal, K x D.
    """

    shape: tuple[int, ...]
    model: Any

    @property
    def count(self) -> int:
        """K."""
        return int(self.model.n_components_)


def fit(images: np.ndarray, count: int) -> Components:
    """The first `count` components of images, uint8 N x H x W x 3; at most N - 1, all that N images have."""
    values, (dimension, number) = _flat(images), (np.prod(images.shape[1:]), len(images))
    # Both solvers are exact; which one is the faster depends on the smaller side.
    solver = "full" if number <= dimension else "covariance_eigh"
    model = PCA(min(count, number - 1, int(dimension)), svd_solver=solver).fit(values)
    return Components(images.shape[1:], model)


def errors(components: Components, images: np.ndarray) -> np.ndarray:
    """Squared error of each reconstruction, float64 N: the mean over pixels and channels in [-1, 1], not rounded.

    Args:
        images: uint8 N x H x W x 3.
    """
    parts = []
    for start in range(0, len(images), BATCH):
        values = _flat(images[start : start + BATCH])
        rebuilt = components.model.inverse_transform(components.model.transform(values))
        parts.append(((rebuilt - values) ** 2).mean(axis=1))
    return np.concatenate(parts)


def sample(components: Components, count: int, seed: int) -> np.ndarray:
    """Images of the Gaussian with the mean and the variances of the components, uint8 `count` x H x W x 3."""
    model = components.model
    random = np.random.default_rng(seed).standard_normal((count, components.count))
    values = model.inverse_transform(random * np.sqrt(model.explained_variance_))
    pixels = ((values + 1) * 127.5).round().clip(0, 255).astype(np.uint8)
    return np.asarray(pixels).reshape(count, *components.shape)


def _flat(images: np.ndarray) -> np.ndarray:
    """float64 N x D in [-1, 1]."""
    return np.asarray(images, dtype=np.float64).reshape(len(images), -1) / 127.5 - 1
