"""The trained network: images to codes and errors, latents to images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from dlcv.data.batches import to_float, to_uint8
from dlcv.engine.weights import load_network
from dlcv.runtime.progress import over
from dlcv.vae.losses import divergence, squared_error
from dlcv.vae.networks import Autoencoder, reparameterise

BATCH = 100  # images


@dataclass(frozen=True)
class Codes:
    """Codes of N images, and the errors of their reconstructions.

    Attributes:
        means, variances: of the posteriors, float32 N x latent.
        kl: divergence of each posterior from the prior in nats, float32 N.
        error: of the reconstruction from the mean, float32 N: squared, the mean over pixels and channels in [-1, 1].
        sampled_error: the same for a random latent of the posterior, as in the training.
    """

    means: np.ndarray
    variances: np.ndarray
    kl: np.ndarray
    error: np.ndarray
    sampled_error: np.ndarray


def load_autoencoder(folder: Path) -> tuple[Autoencoder, dict[str, Any]]:
    """The network in `folder`, in eval mode, and the JSON beside its weights.

    Raises:
        UserError: no weights there, or those of another network.
    """
    return load_network(
        folder,
        lambda about: Autoencoder(about["width"], about["latent"]),
        expected={"area": "vae"},
        what="the weights of a VAE",
    )


@torch.inference_mode()
def encode(network: Autoencoder, images: np.ndarray) -> Codes:
    """Codes of images, uint8 N x 64 x 64 x 3; `network` is in eval mode."""
    device = network.fc_mu.weight.device
    # Seeded, with a row for each image: the noise of the first n is the same for every N.
    random = torch.Generator().manual_seed(0)
    parts = []
    for start in over(range(0, len(images), BATCH), "encoding", "batch"):
        part = to_float(images[start : start + BATCH])
        count, whole = len(part), _whole(part).to(device)
        mean, log_variance = network.encode(whole)
        latents = reparameterise(mean, log_variance, torch.randn(mean.shape, generator=random).to(device))
        values = (
            mean,
            log_variance.exp(),
            divergence(mean, log_variance),
            squared_error(network.decode(mean), whole),
            squared_error(network.decode(latents), whole),
        )
        parts.append([value[:count].cpu().numpy() for value in values])
    return Codes(*(np.concatenate(column) for column in zip(*parts, strict=True)))


@torch.inference_mode()
def decode(network: Autoencoder, latents: Tensor | np.ndarray) -> np.ndarray:
    """Images, uint8 N x 64 x 64 x 3, of latents, N x latent; `network` is in eval mode."""
    device = network.fc_mu.weight.device
    images = []
    for part in over(torch.split(torch.as_tensor(latents), BATCH), "decoding", "batch"):
        images.append(to_uint8(network.decode(_whole(part).to(device)))[: len(part)].numpy())
    return np.concatenate(images)


def _whole(part: Tensor) -> Tensor:
    """`part` padded to a whole batch: the last bits of a matrix product depend on its number of rows, and a result must
    not depend on how many are computed with it."""
    whole = F.pad(part, (0, 0) * (part.dim() - 1) + (0, BATCH - len(part)))
    return whole.contiguous(memory_format=torch.channels_last) if part.dim() == 4 else whole
