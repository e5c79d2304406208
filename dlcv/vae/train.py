"""The stage `train`: the autoencoder on the faces, to its weights, snapshots of it, and a curve.

The curve has what the steps return, of training batches. Validation has no part in the training: the stage
`evaluate` measures the snapshots on training and validation images alike.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from dlcv.data.batches import Shuffled, to_float
from dlcv.data.prepared import load_split, read_card
from dlcv.engine import training as stage
from dlcv.engine.layers import layers
from dlcv.engine.loop import make_accelerator, seed_everything
from dlcv.runtime.config import Params
from dlcv.vae.config import Vae
from dlcv.vae.networks import CORNER, Autoencoder, sample
from dlcv.vae.step import VAE
from dlcv.vae.tasks import FACES, NAME, OUT, SIZE, VALUES, provenance_of

STATISTICS_IMAGES = 1024  # of training, at most, that BatchNorm's statistics are taken from
STATISTICS_BATCH = 64


def run(params: Params) -> Path:
    """Train the network that params.yaml describes.

    Returns:
        The folder with its weights, `snapshots/` and `curve.csv`.

    Raises:
        UserError: no prepared faces, or a loss that is not finite.
    """
    section, training = params[Vae], params[Vae].training
    provenance = provenance_of(params)
    accelerator = make_accelerator(training.precision)
    seed_everything(params.seed)
    network = Autoencoder(section.width, section.latent).to(memory_format=torch.channels_last)
    images = load_split(FACES, "train").images
    # No labels: the network never sees one. Every process has an order of its own.
    order = 1000 * params.seed + accelerator.process_index
    return stage.run(
        OUT / NAME,
        "network",
        VAE(network, training),
        Shuffled(images, np.zeros(len(images)), training.batch_size, seed=order),
        accelerator=accelerator,
        provenance=provenance,
        cards=[read_card(FACES)],
        about={
            "width": section.width,
            "latent": section.latent,
            # The weight of the divergence where the squared error is summed over an image, not averaged.
            "beta": round(training.kl_weight * VALUES, 12),
            "networks": description(network),
        },
        steps=training.steps,
        ema_decay=training.ema_decay,
        snapshots=training.snapshots,
        finish=lambda result: own_statistics(result, images),
    )


def description(network: Autoencoder) -> dict[str, Any]:
    """What the report prints of the network, in the order of a forward pass."""
    images, latents = torch.zeros(1, 3, SIZE, SIZE), torch.zeros(1, network.fc_mu.out_features)
    features = torch.zeros(1, network.fc_mu.in_features)
    corner = torch.zeros(1, network.channels[-1], CORNER, CORNER)
    full = torch.zeros(1, network.channels[0], SIZE, SIZE)
    printed = {
        "encoder": [
            *layers(network.encoder, images, depth=2),
            *layers(network.fc_mu, features, depth=0),
            *layers(network.fc_var, features, depth=0),
        ],
        "decoder": [
            *layers(network.decode_input, latents, depth=0),
            *layers(network.decoder, corner, depth=2),
            *layers(network.final_layer, full, depth=1),
        ],
    }
    return {
        name: {"parameters": sum(row["parameters"] for row in rows), "layers": rows} for name, rows in printed.items()
    }


@torch.no_grad()
def own_statistics(network: nn.Module, images: np.ndarray) -> None:
    """Give BatchNorm the statistics of these very weights, over training images, uint8 N x 64 x 64 x 3.

    Its running ones are those of the last few batches, and of an average of the weights not at all.
    """
    assert isinstance(network, Autoencoder)
    for norm in network.modules():
        if isinstance(norm, nn.modules.batchnorm._BatchNorm):
            norm.reset_running_stats()
            norm.momentum = None  # the plain mean over all batches
    chosen = np.array(images[:STATISTICS_IMAGES])
    device = network.fc_mu.weight.device
    # A generator of its own: the training's random numbers are not to depend on snapshots.
    random = torch.Generator().manual_seed(0)
    network.train()
    # Even parts: a last one of few images would count as much as the others.
    for part in np.array_split(chosen, -(-len(chosen) // STATISTICS_BATCH)):
        mean, log_variance = network.encode(to_float(part).to(device))
        noise = torch.randn(mean.shape, generator=random).to(device)
        network.decode(sample(mean, log_variance, noise))
    network.eval()
