"""The stage `train`: the noise predictor on the faces, to its averaged weights, snapshots of them, and a curve."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from dlcv.data.batches import Shuffled
from dlcv.data.prepared import load_split, read_card
from dlcv.ddim.ddpm import DDPM
from dlcv.ddim.sections import SIZE, Ddim
from dlcv.ddim.tasks import FACES, NAME, OUT, provenance_of
from dlcv.diffusion.networks.unet import UNet
from dlcv.diffusion.schedule import linear
from dlcv.engine import training as stage
from dlcv.engine.layers import layers
from dlcv.engine.loop import make_accelerator, seed_everything
from dlcv.runtime.config import Params


def run(params: Params) -> Path:
    """Train the noise predictor.

    Returns:
        The folder with its weights, `snapshots/` and `curve.csv`.

    Raises:
        UserError: no prepared faces, or a loss that is not finite.
    """
    section = params[Ddim]
    training = section.training
    provenance = provenance_of(params)
    accelerator = make_accelerator(training.precision)
    seed_everything(params.seed)
    network = UNet(**section.network.model_dump(), size=SIZE).to(memory_format=torch.channels_last)
    images = load_split(FACES, "train").images
    example: Any = (torch.zeros(1, 3, SIZE, SIZE), torch.zeros(1, dtype=torch.int64))  # the image and its time
    return stage.run(
        OUT / NAME,
        "network",
        DDPM(network, linear(**section.schedule.model_dump()), training),
        # No labels: it reads none. Each process has an order of its own.
        Shuffled(
            images,
            np.zeros(len(images)),
            training.batch_size,
            seed=1000 * params.seed + accelerator.process_index,
        ),
        accelerator=accelerator,
        provenance=provenance,
        cards=[read_card(FACES)],
        about={
            "network": section.network.model_dump(),
            "schedule": section.schedule.model_dump(),
            "target": training.target,
            "layers": layers(network, example, depth=2),
        },
        steps=training.steps,
        ema_decay=training.ema_decay,
        snapshots=training.snapshots,
    )
