"""Training on the labels of one domain alone.

Its network is "trained on source" where another domain is the target, and "trained on target" where
its own is: one training serves both rows of the table.
"""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from dlcv.adaptation.augment import augment
from dlcv.adaptation.networks import DomainNetwork
from dlcv.adaptation.optimizer import adamw
from dlcv.adaptation.sections import Adaptation, Training
from dlcv.params import Params


class Supervised:
    """Cross-entropy on `batch["source"]`."""

    def __init__(self, network: DomainNetwork, training: Training):
        self.training = training
        self.networks: dict[str, nn.Module] = {"network": network}
        optimizer, schedule = adamw(network, training)
        self.optimizers: dict[str, Optimizer] = {"network": optimizer}
        self.schedulers: list[LRScheduler] = [schedule]

    def step(
        self, batch: dict[str, tuple[Tensor, Tensor]], progress: float, backward: Callable[[Tensor], None]
    ) -> dict[str, Tensor]:
        """One update; see `dlcv.training.Method`."""
        pictures, labels = batch["source"]
        logits, _ = self.networks["network"](augment(pictures, self.training.augmentation))
        loss = F.cross_entropy(logits, labels, label_smoothing=self.training.label_smoothing)
        self.optimizers["network"].zero_grad()
        backward(loss)
        self.optimizers["network"].step()
        return {"class_loss": loss.detach(), "class_accuracy": (logits.argmax(1) == labels).float().mean()}


def build(network: DomainNetwork, params: Params) -> Supervised:
    """The method as params.yaml sets it."""
    return Supervised(network, params[Adaptation].training)
