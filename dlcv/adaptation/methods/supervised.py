"""Training on the labels of one domain.

One training serves two rows of the tables: "source-only" where the domain is the source of a scenario, and
"trained on target" where it is the target.
"""

from __future__ import annotations

from torch import Tensor

from dlcv.adaptation.augment import augment
from dlcv.adaptation.config import Adaptation, Training
from dlcv.adaptation.methods.common import (
    Backward,
    Batch,
    Learner,
    Plan,
    adamw,
    classify,
    domain_network,
    settings_of,
)
from dlcv.adaptation.networks.digits import DomainNetwork
from dlcv.runtime.config import Params


class Supervised(Learner):
    """Cross-entropy on `batch["source"]`."""

    def __init__(self, network: DomainNetwork, training: Training):
        super().__init__({"network": network}, {"network": adamw(network.parameters(), training)})
        self.training = training

    def step(self, batch: Batch, progress: float, backward: Backward) -> dict[str, Tensor]:
        """One update; see `dlcv.engine.loop.Method`."""
        images, labels = batch["source"]
        output = self.networks["network"](augment(images, self.training.augmentation))
        loss, values = classify(output.classes, labels, self.training.label_smoothing)
        self.descend("network", loss, backward)
        return values


def supervised(name: str, params: Params) -> Plan:
    """The training with the settings of params.yaml and new weights."""
    training = params[Adaptation].training
    return Plan(
        Supervised(domain_network(params), training),
        settings=settings_of(params),
        steps=training.steps,
        ema_decay=training.ema_decay,
    )
