"""The stage `train`: one model on the faces, to its averaged generator, snapshots of it, and a curve."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dlcv.data.batches import Shuffled
from dlcv.data.prepared import load_split, read_card
from dlcv.engine import training as stage
from dlcv.engine.averaging import new_statistics
from dlcv.engine.layers import layers
from dlcv.engine.loop import make_accelerator, seed_everything
from dlcv.engine.weights import count_parameters
from dlcv.gan.config import Gan
from dlcv.gan.networks import LATENT, build
from dlcv.gan.step import GAN
from dlcv.gan.tasks import FACES, OUT, SIZE, provenance_of, settings_of
from dlcv.runtime.config import Params
from dlcv.runtime.errors import UserError

ALIKE = 0.02  # mean deviation over a batch, in [0, 2]: below it a person sees one image
VARIED = 0.1  # a generator starts with grey images; it can only collapse after it has left them


def run(model: str, params: Params) -> Path:
    """Train `model`, a key of `dlcv.gan.networks.ARCHITECTURES`.

    Returns:
        The folder with the generator's weights, `snapshots/` and `curve.csv`.

    Raises:
        UserError: no such model, no prepared faces, several processes, or a loss that is not finite.
    """
    settings, training = settings_of(model, params), params[Gan].training
    provenance = provenance_of(model, params)
    accelerator = make_accelerator(training.precision)
    if accelerator.num_processes > 1:
        # BatchNorm's two passes a step, one for each kind of image, do not go together with it.
        raise UserError("a GAN is trained by one process; train several models side by side instead")
    seed_everything(params.seed)
    generator, discriminator = build(model, settings.generator_width, settings.discriminator_width, settings.init_std)
    for network in (generator, discriminator):
        network.to(memory_format=torch.channels_last)
    images = load_split(FACES, "train").images
    return stage.run(
        OUT / model,
        "generator",
        GAN(generator, discriminator, settings, training),
        # No labels: a GAN reads none.
        Shuffled(
            images,
            np.zeros(len(images)),
            training.batch_size * settings.discriminator_steps,
            seed=1000 * params.seed,
        ),
        accelerator=accelerator,
        provenance=provenance,
        cards=[read_card(FACES)],
        about={
            "model": model,
            "width": settings.generator_width,
            "networks": {
                "generator": description(generator, torch.zeros(1, LATENT)),
                "discriminator": description(discriminator, torch.zeros(1, 3, SIZE, SIZE)),
            },
        },
        steps=settings.steps,
        ema_decay=training.ema_decay,
        averaged=["generator"],
        snapshots=training.snapshots,
        watch=lambda curve: warn_of_collapse(model, curve),
        finish=standing_statistics,
    )


def description(network: nn.Module, example: Tensor) -> dict[str, Any]:
    """What the report prints of a network."""
    return {"parameters": count_parameters(network), "layers": layers(network, example, depth=2)}


def warn_of_collapse(model: str, curve: list[dict[str, float]]) -> None:
    """Say so where the generator's images have become all alike since the last row of `curve`."""
    seen = [row["diversity"] for row in curve]
    if len(seen) > 1 and seen[-1] < ALIKE <= seen[-2] and max(seen) > VARIED:
        print(
            f"warning: {model}: all images are alike at step {curve[-1]['step']:.0f}, their mean deviation is "
            f"{seen[-1]:.4f}: the generator has collapsed; earlier snapshots are kept",
            file=sys.stderr,
        )


def standing_statistics(generator: nn.Module, batches: int = 16, batch_size: int = 64) -> None:
    """Give BatchNorm the statistics of this very generator, over `batches` of latents (Brock et al. 2019)."""
    device = next(generator.parameters()).device
    # A generator of its own: the training's random numbers are not to depend on snapshots.
    random = torch.Generator().manual_seed(0)
    with new_statistics(generator):
        for _ in range(batches):
            generator(torch.randn(batch_size, LATENT, generator=random).to(device))
