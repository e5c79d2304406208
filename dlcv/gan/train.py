"""The stage `train`: a model on the faces, to its averaged generator, snapshots of it, and a curve."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from dlcv.data.batches import Shuffled
from dlcv.data.prepared import load_split, read_card
from dlcv.engine.arithmetic import make_accelerator, seed_everything
from dlcv.engine.averaging import recalibrated
from dlcv.engine.layers import described
from dlcv.engine.training import train_into
from dlcv.engine.weights import count_parameters
from dlcv.gan.config import FACES, OUT, name_of, provenance_of, settings_of
from dlcv.gan.networks import LATENT, SIZE, Discriminator, Generator, build
from dlcv.gan.step import GAN
from dlcv.runtime.config import Params
from dlcv.runtime.errors import UserError

# Diversity is the mean standard deviation over the images of a batch, whose values are in [-1, 1].
COLLAPSED = 0.02  # below it the images look the same
VARIED = 0.1  # the first images are grey: a generator can collapse only after it has passed this value


def run(model: str, params: Params) -> Path:
    """Train `model`, which has a section in params.yaml, with the seed of `params`.

    Returns:
        The folder with the generator's weights, `snapshots/` and `curve.csv`.

    Raises:
        UserError: no such model, no prepared faces, several processes, or a loss that is not finite.
    """
    settings, name = settings_of(model, params), name_of(model, params.seed)
    provenance = provenance_of(model, params)
    accelerator = make_accelerator(settings.precision)
    if accelerator.num_processes > 1:
        # DistributedDataParallel does not support BatchNorm in two forward passes of a step.
        raise UserError("a GAN is trained by one process; train several models side by side instead")
    seed_everything(params.seed)
    generator, discriminator = build(
        settings.architecture, settings.generator_width, settings.discriminator_width, settings.init_std
    )
    for network in (generator, discriminator):
        network.to(memory_format=torch.channels_last)
    images = load_split(FACES, "train").images
    batches = Shuffled(
        images,
        np.zeros(len(images)),  # a GAN reads no labels
        settings.batch_size * settings.discriminator_steps,
        seed=1000 * params.seed,
    )
    return train_into(
        OUT / name,
        "generator",
        GAN(generator, discriminator, settings),
        batches,
        accelerator=accelerator,
        provenance=provenance,
        cards=[read_card(FACES)],
        about={
            "stage": f"stages/gan/dvc.yaml:train@{name}",
            "model": model,
            "architecture": settings.architecture,
            "width": settings.generator_width,
            "networks": description(settings.architecture, generator, discriminator),
        },
        steps=settings.steps,
        ema_decay=settings.ema_decay,
        averaged=["generator"],
        snapshots=settings.snapshots,
        watch=lambda curve: warn_of_collapse(name, curve),
        finish=standing_statistics,
    )


def description(architecture: str, generator: Generator, discriminator: Discriminator) -> dict[str, Any]:
    """Layers and parameters of both networks, for the report."""
    # No values and no random numbers: only the parameters are counted.
    with torch.device("meta"), torch.random.fork_rng(devices=[]):
        whole_generator, whole_discriminator = build(architecture, 1, 1, init_std=0.02)
    return {
        "generator": {
            **described(generator, torch.zeros(1, LATENT), depth=2),
            "parameters_at_width_1": count_parameters(whole_generator),
        },
        "discriminator": {
            **described(discriminator, torch.zeros(1, 3, SIZE, SIZE), depth=2),
            "parameters_at_width_1": count_parameters(whole_discriminator),
        },
    }


def warn_of_collapse(name: str, curve: list[dict[str, float]]) -> None:
    """Print a warning if the diversity of the generator's images has fallen below `COLLAPSED` in the last row."""
    diversity = [row["diversity"] for row in curve]
    if len(diversity) > 1 and diversity[-1] < COLLAPSED <= diversity[-2] and max(diversity) > VARIED:
        print(
            f"warning: {name}: the generator has collapsed at step {curve[-1]['step']:.0f}, the diversity of its "
            f"images is {diversity[-1]:.4f}; earlier snapshots are kept",
            file=sys.stderr,
        )


def standing_statistics(generator: nn.Module, batches: int = 16, batch_size: int = 64) -> None:
    """Recalibrate BatchNorm on random latents (Brock et al. 2019)."""
    device = next(generator.parameters()).device
    # A random generator of its own: snapshots must not change the random numbers of the training.
    random = torch.Generator().manual_seed(0)
    with recalibrated(generator):
        for _ in range(batches):
            generator(torch.randn(batch_size, LATENT, generator=random).to(device))
