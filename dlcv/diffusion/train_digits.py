"""The stage `diffusion train`: one model of digits, with its averaged weights, snapshots of them, and a curve."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from dlcv.data.batches import Shuffled
from dlcv.data.prepared import load_split, read_card
from dlcv.diffusion.config import (
    DIGIT_SIZE,
    DIGITS,
    DIGITS_OUT,
    DigitTraining,
    digits_name,
    digits_provenance,
    settings_of,
)
from dlcv.diffusion.networks.build import build
from dlcv.diffusion.networks.conditioning import NONE
from dlcv.diffusion.networks.interface import describe
from dlcv.diffusion.schedule import Schedule, linear, log_snr_density, noised
from dlcv.diffusion.step import Denoising
from dlcv.engine.arithmetic import make_accelerator, seed_everything
from dlcv.engine.averaging import batch_norms, recalibrated
from dlcv.engine.training import train_into
from dlcv.runtime.config import Params


def run(model: str, params: Params) -> Path:
    """Train `model` with the seed of `params`.

    Returns:
        The folder with its weights, `snapshots/` and `curve.csv`.

    Raises:
        UserError: no such model, no prepared digits, or a loss that is not finite.
    """
    settings, name = settings_of(model, params), digits_name(model, params.seed)
    training = settings.training
    provenance = digits_provenance(model, params)
    accelerator = make_accelerator(training.precision)
    seed_everything(params.seed)
    schedule = linear(**settings.schedule.model_dump())
    network = build(settings.network, schedule.timesteps).to(memory_format=torch.channels_last)
    digits = load_split(DIGITS, "train")
    assert digits.labels is not None  # checked by digits_provenance
    images, labels = digits.images, digits.labels
    # Each process has its own order.
    batches = Shuffled(images, labels, training.batch_size, 1000 * params.seed + accelerator.process_index)

    def finish(averaged: nn.Module) -> None:
        if training.ema_decay and batch_norms(averaged):
            recalibrate(averaged, images, labels, schedule, training.label_drop)

    return train_into(
        DIGITS_OUT / name,
        "network",
        method_of(network, schedule, training),
        batches,
        accelerator=accelerator,
        provenance=provenance,
        cards=[read_card(DIGITS)],
        about={
            "stage": f"stages/diffusion/dvc.yaml:train@{name}",
            "model": model,
            "network": settings.network.model_dump(),
            "schedule": settings.schedule.model_dump(),
            "prediction": training.prediction,
            "layers": describe(network, DIGIT_SIZE),
        },
        steps=training.steps,
        ema_decay=training.ema_decay,
        snapshots=training.snapshots,
        finish=finish,
    )


def method_of(network: nn.Module, schedule: Schedule, training: DigitTraining) -> Denoising:
    """The training of a network that takes images, times and labels."""
    times = training.times

    def prepare(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        return images, drop_labels(labels, training.label_drop, whole_batch=training.drop == "batch")

    return Denoising(
        network,
        schedule,
        training,
        prepare,
        density=log_snr_density(schedule, times.mean, times.std) if times.density == "log-snr" else None,
        optimizer=training.optimizer,
        weight_decay=training.weight_decay,
    )


def drop_labels(labels: Tensor, fraction: float, whole_batch: bool) -> Tensor:
    """Labels, int64 N, with a random `fraction` replaced by `NONE`.

    Args:
        whole_batch: drop all labels of a batch or none (reports 001 and 004), else each independently (000 and 003).
    """
    drawn = torch.rand(1 if whole_batch else len(labels), device=labels.device)
    return torch.where(drawn < fraction, torch.full_like(labels, NONE), labels)


def recalibrate(
    network: nn.Module,
    images: np.ndarray,
    labels: np.ndarray,
    schedule: Schedule,
    label_drop: float,
    batches: int = 16,
) -> None:
    """Replace the BatchNorm statistics of averaged weights, from `batches` of 64 noised images at uniform times."""
    device = next(network.parameters()).device
    # The random state is restored, so that the training does not depend on its snapshots.
    with recalibrated(network), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        source = Shuffled(images, labels, 64, seed=0)
        for _ in range(batches):
            x0, digits = next(source)
            t = torch.randint(schedule.timesteps, (len(x0),))
            x = noised(x0, torch.randn_like(x0), schedule.alpha_bar_of(t))
            known = drop_labels(digits, label_drop, whole_batch=False)
            network(x.to(device), t.to(device), known.to(device))
