"""The source alone, learned as self-training learns it: its network, its changes of images, its average of weights.

What the whole method, which builds on this, reads beyond it comes from the target.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor, nn

from dlcv.adaptation.augment import augment
from dlcv.adaptation.config import Adaptation, SelfTraining, Training
from dlcv.adaptation.methods.common import AdamWMethod, Backward, Batch, Plan, classify
from dlcv.adaptation.networks import digits as networks
from dlcv.adaptation.networks.digits import DomainNetwork, architecture_of
from dlcv.adaptation.statistics import adapt_statistics
from dlcv.engine.averaging import EMA
from dlcv.runtime.config import Params

# Of `adaptation.training`; the rest it brings itself.
TRAINING = {"batch_size", "weight_decay", "label_smoothing", "precision"}
SETTINGS = {"network", "steps", "learning_rate", "schedule", "dropout", "instance_norm", "teacher_decay", "source"}


class SelfTrainingSource(AdamWMethod):
    """One update from `batch["source"]`, with labels. The result is `networks["teacher"]`, the average.

    Args:
        more: networks without an optimizer of their own that a checkpoint has to hold as well.
    """

    def __init__(
        self,
        network: DomainNetwork,
        training: Training,
        own: SelfTraining,
        more: Mapping[str, nn.Module] | None = None,
    ):
        self.average = EMA(network, own.teacher_decay)
        parts: dict[str, nn.Module] = {"network": network, "teacher": self.average.network, **(more or {})}
        super().__init__(parts, training, {"network": network.parameters()})
        self.own = own

    def step(self, batch: Batch, progress: float, backward: Backward) -> dict[str, Tensor]:
        """One update; see `dlcv.engine.loop.Method`."""
        loss, values = self.on_source(*batch["source"])
        self.learn(loss, progress, backward)
        return values

    def on_source(self, images: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss on labels, and what the curve says of it."""
        logits, _ = self.networks["network"](augment(images, self.own.source))
        return classify(logits, labels, self.training.label_smoothing)

    def learn(self, loss: Tensor, progress: float, backward: Backward) -> None:
        """One step down the gradient of `loss`, and one of the average after it."""
        self.update("network", loss, backward)
        self.average.update(self.networks["network"], round(progress * self.training.steps) + 1)


def build(task: str, params: Params) -> Plan:
    """The method as params.yaml sets it, with fresh weights."""
    network, training, architecture = fresh(params)
    return plan(SelfTrainingSource(network, training, params[SelfTraining]), architecture, SETTINGS, "source", params)


def fresh(params: Params) -> tuple[DomainNetwork, Training, dict[str, Any]]:
    """A network with fresh weights, how it is trained, and its architecture."""
    section, own = params[Adaptation], params[SelfTraining]
    training = section.training.model_copy(
        update={key: getattr(own, key) for key in ("steps", "learning_rate", "schedule")}
    )
    architecture = architecture_of(own.network, section, own.dropout, own.instance_norm)
    return networks.build(**architecture), training, architecture


def plan(
    method: SelfTrainingSource, architecture: Mapping[str, Any], settings: set[str], known: str, params: Params
) -> Plan:
    """How `method` is trained.

    Args:
        settings: keys of `selftraining` that decide the result.
        known: "source" or "target", whose statistics BatchNorm has in the end.
    """
    section, own = params[Adaptation], params[SelfTraining]
    network = method.networks["network"]
    assert isinstance(network, DomainNetwork)

    def finish(teacher: nn.Module, images: Mapping[str, np.ndarray]) -> None:
        assert isinstance(teacher, DomainNetwork)
        adapt_statistics(teacher, images[known])

    return Plan(
        method,
        network.printed(),
        architecture,
        {
            "networks": section.networks.model_dump(),
            "training": section.training.model_dump(include=TRAINING),
            "selftraining": own.model_dump(include=settings),
        },
        own.steps,
        # The teacher is an average already.
        result="teacher",
        single=True,
        finish=finish,
    )
