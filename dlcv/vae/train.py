"""The stage `train`: the autoencoder on the faces, to its weights, snapshots of it, and a curve.

The curve is that of training batches. The training reads no validation images: the stage `evaluate` measures the
snapshots on training and validation images.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dlcv.data.batches import Shuffled, to_float
from dlcv.data.prepared import load_split, read_card
from dlcv.engine.arithmetic import make_accelerator, seed_everything
from dlcv.engine.averaging import recalibrated
from dlcv.engine.layers import layers
from dlcv.engine.training import train_into
from dlcv.runtime.config import Params
from dlcv.vae.config import FACES, OUT, Vae, name_of, provenance_of
from dlcv.vae.networks import CORNER, SIZE, Autoencoder, reparameterise
from dlcv.vae.step import VAE

VALUES = 3 * SIZE * SIZE  # of an image
RECALIBRATION_IMAGES = 1024  # maximum
RECALIBRATION_BATCH = 64


def run(params: Params) -> Path:
    """Train the network that params.yaml describes, with the seed of `params`.

    Returns:
        The folder with its weights, `snapshots/` and `curve.csv`.

    Raises:
        UserError: no prepared faces, or a loss that is not finite.
    """
    section, settings = params[Vae], params[Vae].training
    provenance = provenance_of(params)
    accelerator = make_accelerator(settings.precision)
    seed_everything(params.seed)
    network = Autoencoder(section.width, section.latent).to(memory_format=torch.channels_last)
    images = load_split(FACES, "train").images
    batches = Shuffled(
        images,
        np.zeros(len(images)),  # a VAE reads no labels
        settings.batch_size,
        seed=1000 * params.seed + accelerator.process_index,  # every process has its own order
    )
    return train_into(
        OUT / name_of(params.seed),
        "network",
        VAE(network, settings),
        batches,
        accelerator=accelerator,
        provenance=provenance,
        cards=[read_card(FACES)],
        about={
            "stage": f"stages/vae/dvc.yaml:train@{params.seed}",
            "width": section.width,
            "latent": section.latent,
            # The weight of the KL divergence if the squared error is summed over an image, not averaged.
            "beta": round(settings.kl_weight * VALUES, 12),
            "networks": description(network),
        },
        steps=settings.steps,
        ema_decay=settings.ema_decay,
        snapshots=settings.snapshots,
        finish=lambda result: recalibrate(result, images),
    )


def description(network: Autoencoder) -> dict[str, Any]:
    """Layers and parameters of encoder and decoder in the order of a forward pass, for the report."""
    images, latents = torch.zeros(1, 3, SIZE, SIZE), torch.zeros(1, network.fc_mu.out_features)
    features = torch.zeros(1, network.fc_mu.in_features)
    corner = torch.zeros(1, network.channels[-1], CORNER, CORNER)
    full = torch.zeros(1, network.channels[0], SIZE, SIZE)
    return {
        "encoder": _described(
            (network.encoder, images, 2), (network.fc_mu, features, 0), (network.fc_var, features, 0)
        ),
        "decoder": _described(
            (network.decode_input, latents, 0), (network.decoder, corner, 2), (network.final_layer, full, 1)
        ),
    }


def _described(*parts: tuple[nn.Module, Tensor, int]) -> dict[str, Any]:
    """Parameters and layers of several modules, each with an example of its input and the depth of its layers."""
    rows = [row for part, example, depth in parts for row in layers(part, example, depth)]
    return {"parameters": sum(row["parameters"] for row in rows), "layers": rows}


def recalibrate(network: nn.Module, images: np.ndarray) -> None:
    """Recalibrate BatchNorm on training images, uint8 N x 64 x 64 x 3."""
    assert isinstance(network, Autoencoder)
    chosen = np.array(images[:RECALIBRATION_IMAGES])
    device = network.fc_mu.weight.device
    # A random generator of its own: snapshots must not change the random numbers of the training.
    random = torch.Generator().manual_seed(0)
    with recalibrated(network):
        # Batches of equal size, because each has the same weight in the mean.
        for batch in np.array_split(chosen, -(-len(chosen) // RECALIBRATION_BATCH)):
            mean, log_variance = network.encode(to_float(batch).to(device))
            noise = torch.randn(mean.shape, generator=random).to(device)
            network.decode(reparameterise(mean, log_variance, noise))
