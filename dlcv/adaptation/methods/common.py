"""What the methods share: the optimizer, one update of it, and the loss on labels."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn import Parameter
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from dlcv.adaptation.config import Training
from dlcv.engine.loop import Method, scheduler

Batch = dict[str, tuple[Tensor, Tensor]]  # "source" and, for a method that adapts, "target": images and labels
Backward = Callable[[Tensor], None]


@dataclass(frozen=True)
class Plan:
    """A method that is ready to train, and how."""

    method: Method
    printed: dict[str, tuple[nn.Module, nn.Module, Tensor]]  # by name: a part, what of it is printed, an input of that
    architecture: Mapping[str, Any]  # from which `dlcv.adaptation.trained` builds the network again
    settings: Mapping[str, Any]  # what of params.yaml decides the result, beside domains and seed
    steps: int
    ema_decay: float = 0.0
    result: str = "network"  # which of the method's networks
    single: bool = False  # whether it takes one process
    # Changes the result before it is written, given the training images by role, uint8 N x 28 x 28 x 3.
    finish: Callable[[nn.Module, Mapping[str, np.ndarray]], None] = lambda network, images: None


class AdamWMethod:
    """Networks, AdamW with rate, schedule and weight decay of `training`, and its update.

    Args:
        networks: by name, as in `dlcv.engine.loop.Method`.
        training: its rate, schedule, weight decay and steps.
        parameters: of each optimizer, by its name.
    """

    def __init__(
        self, networks: dict[str, nn.Module], training: Training, parameters: Mapping[str, Iterable[Parameter]]
    ):
        self.training = training
        self.networks = networks
        self.optimizers: dict[str, Optimizer] = {
            name: torch.optim.AdamW(part, lr=training.learning_rate, weight_decay=training.weight_decay)
            for name, part in parameters.items()
        }
        self.schedulers: list[LRScheduler] = [
            rate(training.schedule, optimizer, training.steps) for optimizer in self.optimizers.values()
        ]

    def update(self, name: str, loss: Tensor, backward: Backward) -> None:
        """One step of the optimizer `name` down the gradient of `loss`."""
        update(self.optimizers[name], loss, backward)


def update(optimizer: Optimizer, loss: Tensor, backward: Backward) -> None:
    """One step of `optimizer` down the gradient of `loss`; other gradients that it leaves behind are not used."""
    optimizer.zero_grad()
    backward(loss)
    optimizer.step()


def classify(logits: Tensor, labels: Tensor, smoothing: float) -> tuple[Tensor, dict[str, Tensor]]:
    """Cross-entropy of logits, N x 10, against labels, N, and what the curve says of it."""
    loss = F.cross_entropy(logits, labels, label_smoothing=smoothing)
    return loss, {"class_loss": loss.detach(), "class_accuracy": (logits.argmax(1) == labels).float().mean()}


def information(logits: Tensor) -> Tensor:
    """Mutual information of images and predicted classes, in nats, at most log C, for logits N x C.

    Entropy of the mean prediction (all classes are used) less the mean entropy of predictions (each
    is sure): Shi and Sha, ICML 2012.
    """
    log_p = logits.log_softmax(1)
    mean = log_p.exp().mean(0)
    return -(mean * (mean + 1e-6).log()).sum() + (log_p.exp() * log_p).sum(1).mean()


def strength(progress: float, maximum: float, gamma: float) -> float:
    """A weight at `progress` in [0, 1], from 0 towards `maximum`: lambda of Ganin et al. 2016, section 5.2.2."""
    return maximum * (2 / (1 + math.exp(-gamma * progress)) - 1)


def rate(kind: str, optimizer: Optimizer, steps: int) -> LRScheduler:
    """The learning rate over `steps` steps: the shared schedules, and "restarts", report 003's.

    Restarts (Loshchilov and Hutter 2017): four falls along a cosine, each twice as long as the one
    before, as `CosineAnnealingWarmRestarts(T_0=2, T_mult=2)` has them in 30 epochs.
    """
    if kind != "restarts":
        return scheduler(kind, optimizer, steps)

    def factor(step: int) -> float:
        start, length = 0.0, steps / 15
        while step >= start + length and start + length < steps:
            start, length = start + length, 2 * length
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - start) / length)))

    return LambdaLR(optimizer, factor)
