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
from dlcv.evaluation.config import JUDGE, JUDGE_DIGITS, JUDGE_STAGE, Judge, judge_provenance
from dlcv.evaluation.judge.network import JudgeNetwork
from dlcv.runtime.config import Params


class Classification:
    """Cross-entropy on images that are shifted at random."""

    def __init__(self, network: nn.Module, section: Judge):
        self.section = section
        self.networks = {"network": network}
        optimizer, scheduler = make_optimizer(
            "adamw",
            network.parameters(),
            learning_rate=section.learning_rate,
            steps=section.steps,
            schedule=section.schedule,
            weight_decay=section.weight_decay,
        )
        self.optimizers = {"network": optimizer}
        self.schedulers = [scheduler]

    def step(
        self, batch: tuple[Tensor, Tensor], progress: float, backward: Callable[[Tensor], None]
    ) -> dict[str, Tensor]:
        """One update; see `dlcv.engine.loop.Method`."""
        images, labels = batch
        logits = self.networks["network"](shifted(images, self.section.shift))
        loss = F.cross_entropy(logits, labels, label_smoothing=self.section.label_smoothing)
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
    """Train the judge.

    Returns:
        The folder with its weights and curve, `out/evaluation/judge`.

    Raises:
        UserError: no prepared MNIST-M with labels, or a loss that is not finite.
    """
    section = params[Judge]
    provenance = judge_provenance(params)
    accelerator = make_accelerator(section.precision)
    seed_everything(params.seed)
    network = JudgeNetwork(section.channels).to(memory_format=torch.channels_last)
    real = load_split(JUDGE_DIGITS, "train")
    assert real.labels is not None  # judge_provenance refuses digits without labels
    return train_into(
        JUDGE,
        "network",
        Classification(network, section),
        Shuffled(real.images, real.labels, section.batch_size, 1000 * params.seed + accelerator.process_index),
        accelerator=accelerator,
        provenance=provenance,
        cards=[read_card(JUDGE_DIGITS)],
        about={"channels": section.channels, "stage": JUDGE_STAGE},
        steps=section.steps,
        ema_decay=0.0,
    )
