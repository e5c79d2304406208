"""The stage `judge`: train the judge of digits on real MNIST-M images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcv.data.batches import Shuffled
from dlcv.data.prepared import load_split, read_card
from dlcv.engine.arithmetic import make_accelerator, seed_everything
from dlcv.engine.optimizers import descend, make_optimizer
from dlcv.engine.training import train_into
from dlcv.evaluation.config import JUDGE_DIGITS, Judge, JudgeTraining, judge_folder, judge_provenance
from dlcv.evaluation.judge.network import JudgeNetwork
from dlcv.runtime.config import Params


class Classification:
    """Cross-entropy on images that are shifted at random."""

    def __init__(self, network: nn.Module, settings: JudgeTraining):
        self.settings = settings
        self.networks = {"network": network}
        optimizer, scheduler = make_optimizer(
            "adamw",
            network.parameters(),
            learning_rate=settings.learning_rate,
            steps=settings.steps,
            schedule=settings.schedule,
            weight_decay=settings.weight_decay,
        )
        self.optimizers = {"network": optimizer}
        self.schedulers = [scheduler]

    def step(
        self, batch: tuple[Tensor, Tensor], progress: float, backward: Callable[[Tensor], None]
    ) -> dict[str, Tensor]:
        """One update; see `dlcv.engine.loop.Method`."""
        images, labels = batch
        logits = self.networks["network"](shifted(images, self.settings.shift))
        loss = F.cross_entropy(logits, labels, label_smoothing=self.settings.label_smoothing)
        descend(self.optimizers["network"], loss, backward)
        return {"loss": loss.detach(), "accuracy": (logits.argmax(1) == labels).float().mean()}


def shifted(images: Tensor, maximum: int) -> Tensor:
    """Images, N x 3 x H x W, each shifted by up to `maximum` pixels along both axes; the border is replicated."""
    if maximum == 0:
        return images
    count, _, height, width = images.shape
    padded = F.pad(images, (maximum, maximum, maximum, maximum), mode="replicate")
    down, across = torch.randint(2 * maximum + 1, (2, count, 1), device=images.device)
    rows = down + torch.arange(height, device=images.device)  # N x H
    columns = across + torch.arange(width, device=images.device)
    image = torch.arange(count, device=images.device)[:, None, None]
    # Advanced indices on both sides of the channels put the channels last: permute them back.
    return padded[image, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def run(params: Params) -> Path:
    """Train the judge with the seed of `params`.

    Returns:
        The folder with its weights and curve.

    Raises:
        UserError: no prepared MNIST-M with labels, or a loss that is not finite.
    """
    section, settings = params[Judge], params[Judge].training
    provenance = judge_provenance(params)
    accelerator = make_accelerator(settings.precision)
    seed_everything(params.seed)
    network = JudgeNetwork(section.channels).to(memory_format=torch.channels_last)
    real = load_split(JUDGE_DIGITS, "train")
    assert real.labels is not None  # judge_provenance refuses digits without labels
    return train_into(
        judge_folder(params.seed),
        "network",
        Classification(network, settings),
        Shuffled(real.images, real.labels, settings.batch_size, 1000 * params.seed + accelerator.process_index),
        accelerator=accelerator,
        provenance=provenance,
        cards=[read_card(JUDGE_DIGITS)],
        about={"channels": section.channels, "stage": f"stages/evaluation/dvc.yaml:judge@{params.seed}"},
        steps=settings.steps,
        ema_decay=0.0,
    )
