"""Images from trained weights, outside the pipeline."""

from __future__ import annotations

from pathlib import Path

from dlcv.data.latents import normal
from dlcv.figures import grids
from dlcv.runtime.errors import expect_empty
from dlcv.vae.codes import decode, load_autoencoder


def draw(weights: Path, count: int, seed: int, out: Path) -> Path:
    """Write `count` images of the network in the folder `weights` to the new or empty folder `out`.

    Raises:
        UserError: no weights of a VAE there, or a folder that is not empty.
    """
    expect_empty(out)
    network, about = load_autoencoder(weights)
    grids.save(out, decode(network, normal(count, (about["latent"],), seed)))
    return out
