"""The source alone, learned as Generate To Adapt learns it: its F and C, its changes of images, no D and no G.

The whole method builds on this.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from dlcv.adaptation.config import Adaptation, Gta, Training
from dlcv.adaptation.methods.common import Backward, Batch, Plan, classify, update
from dlcv.adaptation.networks.gta import FeaturesAndClasses, changed
from dlcv.runtime.config import Params

# Of `adaptation.training`; the rest it brings itself.
TRAINING = {"batch_size", "label_smoothing", "instance_norm", "augmentation", "precision"}
SETTINGS = {"steps", "learning_rate", "beta1", "rate_decay", "ema_decay"}  # of `gta`


class GTASource:
    """One update of C and one of F from `batch["source"]`, with labels.

    Args:
        others: networks that have optimizers as well, by name; their turn comes first.
        steady: names of those of them whose rate stays.
    """

    def __init__(
        self,
        networks: FeaturesAndClasses,
        training: Training,
        gta: Gta,
        others: Mapping[str, nn.Module] | None = None,
        steady: Collection[str] = (),
    ):
        self.training = training
        self.gta = gta
        self.networks: dict[str, nn.Module] = {"network": networks}
        parts = {**(others or {}), "C": networks.class_head, "F": networks.features}
        self.optimizers: dict[str, Optimizer] = {
            name: torch.optim.Adam(part.parameters(), lr=gta.learning_rate, betas=(gta.beta1, 0.999))
            for name, part in parts.items()
        }
        self.schedulers: list[LRScheduler] = [
            LambdaLR(optimizer, lambda step: 1 / (1 + gta.rate_decay * step))
            for name, optimizer in self.optimizers.items()
            if name not in steady
        ]

    def step(self, batch: Batch, progress: float, backward: Backward) -> dict[str, Tensor]:
        """One update of each network; see `dlcv.engine.loop.Method`."""
        networks = self.networks["network"]
        assert isinstance(networks, FeaturesAndClasses)
        images, labels = batch["source"]
        seen = changed(images, self.training.augmentation, networks.grey)
        return self.update_readers(networks, networks("embed", seen), labels, 0.0, backward)

    def update_readers(
        self,
        networks: FeaturesAndClasses,
        of_source: Tensor,
        labels: Tensor,
        adversarial: Tensor | float,
        backward: Backward,
    ) -> dict[str, Tensor]:
        """One update of C and of F on the features of source images, and what the curve says of it.

        Args:
            of_source: features, N x 128, with a gradient to F.
            adversarial: what F's loss has beside C's word.
        """
        class_loss, values = classify(networks("class_head", of_source.detach()), labels, self.training.label_smoothing)
        update(self.optimizers["C"], class_loss, backward)
        with fixed(networks.class_head):
            f_loss, _ = classify(networks("class_head", of_source), labels, self.training.label_smoothing)
            update(self.optimizers["F"], f_loss + adversarial, backward)
        return {**values, "feature_loss": f_loss.detach()}


@contextmanager
def fixed(*networks: nn.Module) -> Iterator[None]:
    """Let gradients pass through `networks` and none stay in them: they would be computed for nothing."""
    for network in networks:
        network.requires_grad_(False)
    try:
        yield
    finally:
        for network in networks:
            network.requires_grad_(True)


def build(task: str, params: Params) -> Plan:
    """The method as params.yaml sets it for the scenario `task`, with fresh weights."""
    training, gta = params[Adaptation].training, params[Gta]
    architecture: dict[str, Any] = {"instance_norm": training.instance_norm, "grey": task in gta.grey}
    network = FeaturesAndClasses(**architecture)
    return Plan(
        GTASource(network, training, gta),
        network.printed(),
        {"network": "gta-source", **architecture},
        {
            "grey": architecture["grey"],
            "training": training.model_dump(include=TRAINING),
            "gta": gta.model_dump(include=SETTINGS),
        },
        gta.steps,
        gta.ema_decay,
        single=True,
    )
