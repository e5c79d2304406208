"""Images from trained weights, outside the pipeline."""

from __future__ import annotations

from pathlib import Path

import torch

from dlcv.data.latents import normal
from dlcv.figures import grids
from dlcv.runtime.errors import expect_empty
from dlcv.vae import prior
from dlcv.vae.codes import decode, load_autoencoder


def draw(weights: Path, count: int, seed: int, out: Path, fitted: Path | None = None) -> Path:
    """Write `count` images of the network in the folder `weights` to the new or empty folder `out`.

    Args:
        fitted: the folder of an evaluation, whose fitted prior the latents are from; without it they are from N(0, I).

    Raises:
        UserError: no weights of a VAE there, no prior of it, or a folder that is not empty.
    """
    expect_empty(out)
    network, about = load_autoencoder(weights)
    latents = normal(count, (about["latent"],), seed)
    if fitted is not None:
        latents = torch.from_numpy(prior.load(fitted, about["latent"])(latents.numpy()))
    grids.save(out, decode(network, latents))
    return out
