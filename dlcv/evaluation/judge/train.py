"""The stage `judge`: the judge of digits learns from real MNIST-M training images and reads validation images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from dlcv.data.batches import Shuffled
from dlcv.data.prepared import Split, load_split, read_card
from dlcv.engine import training as stage
from dlcv.engine.loop import make_accelerator, scheduler, seed_everything
from dlcv.engine.weights import training_of
from dlcv.evaluation.config import Judge
from dlcv.evaluation.judge.network import JudgeNetwork, accuracy_of, load_judge
from dlcv.evaluation.judge.task import DIGITS, METRICS, OUT, judge_provenance
from dlcv.figures import charts
from dlcv.runtime import tracking
from dlcv.runtime.config import Params
from dlcv.runtime.files import write_json
from dlcv.runtime.nested import flatten


class Classification:
    """Cross-entropy on images that are shifted by a few pixels at random."""

    def __init__(self, network: nn.Module, section: Judge):
        self.section = section
        self.networks: dict[str, nn.Module] = {"network": network}
        optimizer = torch.optim.AdamW(network.parameters(), lr=section.learning_rate, weight_decay=section.weight_decay)
        self.optimizers: dict[str, Optimizer] = {"network": optimizer}
        self.schedulers: list[LRScheduler] = [scheduler(section.schedule, optimizer, section.steps)]

    def step(
        self, batch: tuple[Tensor, Tensor], progress: float, backward: Callable[[Tensor], None]
    ) -> dict[str, Tensor]:
        """One update; see `dlcv.engine.loop.Method`."""
        images, labels = batch
        logits = self.networks["network"](shifted(images, self.section.shift))
        loss = F.cross_entropy(logits, labels, label_smoothing=self.section.label_smoothing)
        self.optimizers["network"].zero_grad()
        backward(loss)
        self.optimizers["network"].step()
        return {"loss": loss.detach(), "accuracy": (logits.argmax(1) == labels).float().mean()}


def shifted(images: Tensor, most: int) -> Tensor:
    """Images N x 3 x H x W, each moved by up to `most` pixels along either axis; the border is repeated."""
    if most == 0:
        return images
    count, _, height, width = images.shape
    padded = F.pad(images, (most, most, most, most), mode="replicate")
    down, across = torch.randint(2 * most + 1, (2, count, 1), device=images.device)
    rows = down + torch.arange(height, device=images.device)  # N x H
    columns = across + torch.arange(width, device=images.device)
    image = torch.arange(count, device=images.device)[:, None, None]
    # Indexed on either side of the channels, which come last: back to the front.
    return padded[image, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def run(params: Params) -> Path:
    """Train the judge, in `out/evaluation/judge`.

    Returns:
        The JSON with its accuracy on validation images.

    Raises:
        UserError: no prepared MNIST-M, or a loss that is not finite.
    """
    section = params[Judge]
    provenance = judge_provenance(params)
    accelerator = make_accelerator(section.precision)
    seed_everything(params.seed)
    network = JudgeNetwork(section.channels).to(memory_format=torch.channels_last)
    real = load_split(DIGITS, "train")
    assert real.labels is not None  # of judge_provenance
    seed = 1000 * params.seed + accelerator.process_index
    card = read_card(DIGITS)
    stage.run(
        OUT,
        "network",
        Classification(network, section),
        Shuffled(real.images, real.labels, section.batch_size, seed),
        accelerator=accelerator,
        provenance=provenance,
        cards=[card],
        about={"channels": section.channels},
        steps=section.steps,
        ema_decay=0.0,
    )
    scores = judged(load_split(DIGITS, "val"))
    charts.confusion(
        OUT / "confusion.png",
        {"the judge on validation images": np.array(scores["confusion"])},
        f"{card['name']}: {card['played_by']}",
    )
    charts.curves(OUT / "curve.png", OUT / "curve.csv", "judge: training batches")
    write_json(METRICS, scores)
    with tracking.run("evaluate-judge", area="evaluation", params=section.model_dump()) as tracked:
        tracked.scores({key: value for key, value in flatten(scores).items() if isinstance(value, float)})
        for figure in sorted(OUT.glob("*.png")):
            tracked.figure(figure)
    return METRICS


def judged(validation: Split) -> dict[str, Any]:
    """How well the judge that was just trained reads real images that it has not seen."""
    assert validation.labels is not None
    judge = load_judge(OUT)
    answers = judge(validation.images)
    return {
        "judge": "a network of its own, trained on real training images",
        **accuracy_of(validation.labels, answers),
        "images": {"domain": DIGITS.name, "split": "val", "count": len(answers)},
        "training": training_of(judge.about),
    }
