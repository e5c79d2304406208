"""The stage `train`: one noise predictor on MNIST-M, to its averaged weights, snapshots of them, and a curve."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from dlcv.data.batches import Shuffled
from dlcv.data.prepared import load_split, read_card
from dlcv.diffusion.conditional import Conditional, drop_labels
from dlcv.diffusion.networks.build import build
from dlcv.diffusion.networks.conditioning import describe
from dlcv.diffusion.schedule import Schedule, linear, noised
from dlcv.diffusion.tasks import DIGITS, OUT, SIZE, provenance_of, settings_of
from dlcv.engine import training as stage
from dlcv.engine.averaging import batch_norms, new_statistics
from dlcv.engine.loop import make_accelerator, seed_everything
from dlcv.runtime.config import Params


def run(model: str, params: Params) -> Path:
    """Train `model`.

    Returns:
        The folder with its weights, `snapshots/` and `curve.csv`.

    Raises:
        UserError: no such model, no prepared digits, or a loss that is not finite.
    """
    settings = settings_of(model, params)
    training = settings.training
    provenance = provenance_of(model, params)
    accelerator = make_accelerator(training.precision)
    seed_everything(params.seed)
    schedule = linear(**settings.schedule.model_dump())
    network = build(model, settings.network.model_dump(), schedule.timesteps).to(memory_format=torch.channels_last)
    digits = load_split(DIGITS, "train")
    assert digits.labels is not None  # of provenance_of
    # Each process has an order of its own.
    seed = 1000 * params.seed + accelerator.process_index
    batches = Shuffled(digits.images, digits.labels, training.batch_size, seed)

    def finish(averaged: nn.Module) -> None:
        if training.ema_decay:
            standing_statistics(averaged, digits.images, digits.labels, schedule, training.label_drop)

    return stage.run(
        OUT / model,
        "network",
        Conditional(network, schedule, training),
        batches,
        accelerator=accelerator,
        provenance=provenance,
        cards=[read_card(DIGITS)],
        about={
            "model": model,
            "network": settings.network.model_dump(),
            "schedule": settings.schedule.model_dump(),
            "target": training.target,
            "layers": describe(network, SIZE),
        },
        steps=training.steps,
        ema_decay=training.ema_decay,
        snapshots=training.snapshots,
        finish=finish,
    )


def standing_statistics(
    network: nn.Module,
    images: np.ndarray,
    labels: np.ndarray | None,
    schedule: Schedule,
    label_drop: float,
    batches: int = 16,
) -> None:
    """Give BatchNorm, if there is any, the statistics of this very network, over `batches` of 64 noised images."""
    if not batch_norms(network):
        return
    assert labels is not None
    device = next(network.parameters()).device
    # The training's random numbers are not to depend on snapshots: what is drawn here is put back.
    with new_statistics(network), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        source = Shuffled(images, labels, 64, seed=0)
        for _ in range(batches):
            batch, digits = next(source)
            t = torch.randint(schedule.timesteps, (len(batch),))
            x: Tensor = noised(batch, torch.randn_like(batch), schedule.alpha_bar_of(t))
            known = drop_labels(digits, label_drop, whole_batch=False)
            network(x.to(device), t.to(device), known.to(device))
