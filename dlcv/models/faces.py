"""Models of faces from exported folders: a GAN's generator, a VAE, a diffusion model.

Images are uint8 N x 64 x 64 x 3 in [0, 255], RGB. An image depends on the seed and on its number, not on how many are
drawn with it. Every model has `shape`, that of one latent, and `generate`, which takes N x `shape`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dlcv.data.batches import to_uint8
from dlcv.data.latents import normal, seeds_of
from dlcv.diffusion import faces
from dlcv.diffusion.config import FaceSampling
from dlcv.diffusion.samplers import Watch
from dlcv.engine.weights import read_about
from dlcv.gan import sample as gan
from dlcv.gan.networks import LATENT
from dlcv.models.shapes import SIZE, checked_count, checked_images, checked_latents
from dlcv.vae import codes

Values = np.ndarray | Tensor


class FaceGAN:
    """A trained generator.

    Attributes:
        about: how it was trained.
        latent: dimensions of its latents.
    """

    latent = LATENT
    shape = (LATENT,)

    def __init__(self, folder: Path, use: Mapping[str, Any]):
        self.network, self.about = gan.load_generator(folder, read_about(folder)["model"])

    def sample(self, count: int, seed: int = 0) -> np.ndarray:
        """`count` images of latents drawn with `seed`; with the same seed, the first n are the same for every count."""
        return self.generate(normal(checked_count(count), (self.latent,), seed))

    def generate(self, latents: Values) -> np.ndarray:
        """An image of each latent, N x 100; they are meant to be standard normal."""
        return gan.generate(self.network, checked_latents(latents, self.shape))


class FaceVAE:
    """A trained variational autoencoder.

    Attributes:
        about: how it was trained.
        latent: dimensions of its latents.
    """

    def __init__(self, folder: Path, use: Mapping[str, Any]):
        self.network, self.about = codes.load_autoencoder(folder)
        self.latent: int = self.about["latent"]
        self.shape = (self.latent,)

    def sample(self, count: int, seed: int = 0) -> np.ndarray:
        """`count` images of latents drawn with `seed`; with the same seed, the first n are the same for every count."""
        return self.decode(normal(checked_count(count), (self.latent,), seed))

    def encode(self, images: np.ndarray) -> np.ndarray:
        """The mean of each image's posterior, float32 N x `latent`."""
        return codes.encode(self.network, checked_images(images, SIZE)).means

    def decode(self, latents: Values) -> np.ndarray:
        """An image of each latent, N x `latent`."""
        return codes.decode(self.network, checked_latents(latents, self.shape))

    def generate(self, latents: Values) -> np.ndarray:
        """As `decode`, by the name that it has in the other models."""
        return self.decode(latents)


class FaceDDIM:
    """A trained noise predictor and the sampler DDIM.

    Attributes:
        about: how it was trained.
    """

    shape = faces.SHAPE

    def __init__(self, folder: Path, use: Mapping[str, Any]):
        self.model = faces.load_model(folder)
        self.about = self.model.about
        self._sampling = use["sampling"]

    def sample(self, count: int, seed: int = 0, *, steps: int | None = None, eta: float | None = None) -> np.ndarray:
        """`count` images of noise drawn with `seed`; arguments and errors as of `generate`."""
        return self.generate(normal(checked_count(count), self.shape, seed), seed, steps=steps, eta=eta)

    def generate(
        self,
        noise: Values,
        seed: int = 0,
        *,
        steps: int | None = None,
        eta: float | None = None,
        watch: Watch | None = None,
    ) -> np.ndarray:
        """An image of each noise, N x 3 x 64 x 64, which is meant to be standard normal.

        Args:
            seed: of the noise that DDIM adds if `eta` is above 0.
            steps: network evaluations for an image; None for those of the study.
            eta: 0 to 1; None for that of the study.
            watch: called after each step of each batch of 64 images.

        Raises:
            UserError: more steps than the model was trained with.
            ValueError: an eta or steps outside their range.
        """
        changes = {"steps": steps, "eta": eta}
        own = FaceSampling(**{**self._sampling, **{key: value for key, value in changes.items() if value is not None}})
        # The names of the study's images, so that the same seed gives the same images.
        seeds = seeds_of([f"{index:04d}" for index in range(len(noise))], seed)
        start = checked_latents(noise, self.shape)
        with torch.inference_mode():
            parts = [
                faces.generate_batch(self.model, start[part], seeds[part], own, watch)
                for part in faces.batches(len(start))
            ]
        return to_uint8(torch.cat(parts)).numpy()
