"""The stage `ddim train`: the U-Net of faces, with its averaged weights, snapshots of them, and a curve."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from dlcv.data.batches import Shuffled, mirrored
from dlcv.data.prepared import load_split, read_card
from dlcv.diffusion.config import FACE_SIZE, FACES, FACES_OUT, Ddim, FaceTraining, faces_name, faces_provenance
from dlcv.diffusion.schedule import Schedule, linear
from dlcv.diffusion.step import Denoising
from dlcv.diffusion.unet import UNet
from dlcv.engine.arithmetic import make_accelerator, seed_everything
from dlcv.engine.layers import layers
from dlcv.engine.training import train_into
from dlcv.runtime.config import Params


def run(params: Params) -> Path:
    """Train the noise predictor of faces with the seed of `params`.

    Returns:
        The folder with its weights, `snapshots/` and `curve.csv`.

    Raises:
        UserError: no prepared faces, or a loss that is not finite.
    """
    section = params[Ddim]
    training = section.training
    provenance = faces_provenance(params)
    accelerator = make_accelerator(training.precision)
    seed_everything(params.seed)
    network = UNet(**section.network.model_dump(), size=FACE_SIZE).to(memory_format=torch.channels_last)
    images = load_split(FACES, "train").images
    no_labels = np.zeros(len(images))
    # Each process has its own order.
    batches = Shuffled(images, no_labels, training.batch_size, 1000 * params.seed + accelerator.process_index)
    example = torch.zeros(1, 3, FACE_SIZE, FACE_SIZE), torch.zeros(1, dtype=torch.int64)  # an image and its time
    return train_into(
        FACES_OUT / faces_name(params.seed),
        "network",
        method_of(network, linear(**section.schedule.model_dump()), training),
        batches,
        accelerator=accelerator,
        provenance=provenance,
        cards=[read_card(FACES)],
        about={
            "stage": f"stages/ddim/dvc.yaml:train@{params.seed}",
            "network": section.network.model_dump(),
            "schedule": section.schedule.model_dump(),
            "prediction": training.prediction,
            "layers": layers(network, example, depth=2),
        },
        steps=training.steps,
        ema_decay=training.ema_decay,
        snapshots=training.snapshots,
    )


def method_of(network: nn.Module, schedule: Schedule, training: FaceTraining) -> Denoising:
    """The training of a network that takes images and times."""

    def prepare(images: Tensor, labels: Tensor) -> tuple[Tensor]:
        return (mirrored(images) if training.flip else images,)

    return Denoising(network, schedule, training, prepare)
