"""Training on the labels of one domain: the source of a scenario (source-only), or its target (the ceiling)."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from dlcv.adaptation.augment import augment
from dlcv.adaptation.config import Adaptation, Ceiling, Training
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
    """On the source of a scenario, with the settings of params.yaml and new weights."""
    training = params[Adaptation].training
    return Plan(
        Supervised(domain_network(params), training),
        settings=settings_of(params),
        steps=training.steps,
        ema_decay=training.ema_decay,
    )


def ceiling(name: str, params: Params) -> Plan:
    """On the target of a scenario, with the settings of the section `ceiling` in place of the shared ones."""
    section, own = params[Adaptation], params[Ceiling]
    training = section.training.model_copy(
        update={"steps": own.steps, "learning_rate": own.learning_rate, "augmentation": own.augmentation}
    )
    replaced = section.model_copy(update={"network": own.network, "training": training})
    plan = supervised(name, params.with_sections(replaced))
    return replace(plan, augmentation={"source": {"": own.augmentation}})
