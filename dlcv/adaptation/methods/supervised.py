"""Training on the labels of one domain alone.

Its network is "trained on source" where another domain is the target, and "trained on target" where
its own is: one training serves both rows of the table.
"""

from __future__ import annotations

from torch import Tensor

from dlcv.adaptation.augment import augment
from dlcv.adaptation.config import Adaptation, Training
from dlcv.adaptation.methods.common import AdamWMethod, Backward, Batch, Plan, classify
from dlcv.adaptation.networks import digits as networks
from dlcv.adaptation.networks.digits import DomainNetwork, architecture_of
from dlcv.runtime.config import Params


class Supervised(AdamWMethod):
    """Cross-entropy on `batch["source"]`."""

    def __init__(self, network: DomainNetwork, training: Training):
        super().__init__({"network": network}, training, {"network": network.parameters()})

    def step(self, batch: Batch, progress: float, backward: Backward) -> dict[str, Tensor]:
        """One update; see `dlcv.engine.loop.Method`."""
        images, labels = batch["source"]
        logits, _ = self.networks["network"](augment(images, self.training.augmentation))
        loss, values = classify(logits, labels, self.training.label_smoothing)
        self.update("network", loss, backward)
        return values


def build(task: str, params: Params) -> Plan:
    """The method as params.yaml sets it, with fresh weights."""
    section = params[Adaptation]
    training = section.training
    architecture = architecture_of(section.network, section, training.dropout, training.instance_norm)
    network = networks.build(**architecture)
    settings = {
        "network": section.network,
        "networks": section.networks.model_dump(),
        "training": training.model_dump(),
    }
    return Plan(
        Supervised(network, training),
        network.printed(),
        architecture,
        settings,
        training.steps,
        training.ema_decay,
    )
