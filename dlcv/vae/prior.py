"""A Gaussian fitted to the latents of the training images, as a prior beside N(0, I).

The posteriors of all training images together are not N(0, I): the smaller the weight of the KL divergence, the further
away they are, and a decoder that has never seen latents of N(0, I) makes no faces from them. Their own mean and
covariance are a second training in closed form (the simplest density of Ghosh et al. 2020, "From variational to
deterministic autoencoders").
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from dlcv.runtime.errors import UserError
from dlcv.vae.codes import Codes

FILE = "prior.safetensors"


@dataclass(frozen=True)
class Gaussian:
    """A normal distribution of latents with D dimensions.

    Attributes:
        mean: float32 D.
        factor: the lower triangular L with covariance L L^T, float32 D x D.
    """

    mean: np.ndarray
    factor: np.ndarray

    def __call__(self, noise: np.ndarray) -> np.ndarray:
        """Latents, float32 N x D, of standard normal noise, N x D."""
        latents: np.ndarray = self.mean + noise @ self.factor.T
        return latents

    def save(self, folder: Path) -> None:
        """Write it to `FILE` in `folder`."""
        save_file({"mean": self.mean, "factor": self.factor}, folder / FILE)


def fit(codes: Codes) -> Gaussian:
    """The mean and the covariance of the latents that the posteriors of some images give, all images equally often."""
    means = codes.means.astype(np.float64)
    # The covariance of a mixture: that of its means, and the mean of its covariances.
    covariance = np.cov(means, rowvar=False, bias=True) + np.diag(codes.variances.mean(0, dtype=np.float64))
    factor = np.linalg.cholesky(covariance)
    return Gaussian(means.mean(0).astype(np.float32), factor.astype(np.float32))


def load(folder: Path, latent: int) -> Gaussian:
    """The prior that an evaluation wrote to `folder`, for latents of `latent` dimensions.

    Raises:
        UserError: there is none, or that of another network.
    """
    path = folder / FILE
    try:
        stored = load_file(path)
        prior = Gaussian(stored["mean"], stored["factor"])
    except FileNotFoundError:
        raise UserError(f"{path} is missing; `dlcv vae evaluate` fits the prior") from None
    except Exception as error:  # safetensors has no common class for its errors
        raise UserError(f"{path} is not a fitted prior: {error}") from None
    if prior.mean.shape != (latent,) or prior.factor.shape != (latent, latent):
        raise UserError(f"{path} is of {len(prior.mean)} dimensions, and the network has {latent}")
    return prior
