"""The source alone, learned as Generate To Adapt learns it: its F and C, its changes of pictures, no D and no G.

What the whole method, which builds on this, reads beyond it comes from the target.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from dlcv.adaptation.augment import augment
from dlcv.adaptation.gta_networks import FeaturesAndClasses, initialise, to_grey
from dlcv.adaptation.method import Backward, Batch, Plan, classify, update
from dlcv.adaptation.sections import Adaptation, Gta, Training
from dlcv.params import Params

# Of `adaptation.training`; the rest it brings itself.
TRAINING = {"batch_size", "label_smoothing", "instance_norm", "augmentation", "precision"}
SETTINGS = {"steps", "learning_rate", "beta1", "rate_decay", "ema_decay"}  # of `gta`


class GTASource:
    """One update of C and one of F from `batch["source"]`, with labels.

    Args:
        painters: networks that have optimizers as well, whose turn comes first.
    """

    def __init__(
        self,
        networks: FeaturesAndClasses,
        training: Training,
        gta: Gta,
        painters: Mapping[str, nn.Module] | None = None,
    ):
        self.training = training
        self.gta = gta
        self.networks: dict[str, nn.Module] = {"network": networks}
        parts = {**(painters or {}), "C": networks.class_head, "F": networks.features}
        self.optimizers: dict[str, Optimizer] = {
            name: torch.optim.Adam(part.parameters(), lr=gta.learning_rate, betas=(gta.beta1, 0.999))
            for name, part in parts.items()
        }
        # As the reference: the generator's rate stays.
        self.schedulers: list[LRScheduler] = [
            LambdaLR(optimizer, lambda step: 1 / (1 + gta.rate_decay * step))
            for name, optimizer in self.optimizers.items()
            if name != "G"
        ]

    def step(self, batch: Batch, progress: float, backward: Backward) -> dict[str, Tensor]:
        """One update of each network; see `dlcv.training.Method`."""
        networks = self.networks["network"]
        assert isinstance(networks, FeaturesAndClasses)
        pictures, labels = batch["source"]
        return self.classify(networks, networks("embed", self.changed(pictures, networks.grey)), labels, 0.0, backward)

    def classify(
        self,
        networks: FeaturesAndClasses,
        of_source: Tensor,
        labels: Tensor,
        adversarial: Tensor | float,
        backward: Backward,
    ) -> dict[str, Tensor]:
        """One update of C and of F on the features of source pictures, and what the curve says of it.

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

    def changed(self, pictures: Tensor, grey: bool) -> Tensor:
        """What F sees of pictures. Grey ones stay grey: inverting one channel of three would cancel brightness."""
        if grey:
            pictures = to_grey(pictures)[:, :1]
        return augment(pictures, self.training.augmentation).expand(-1, 3, -1, -1)


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
    network.apply(initialise)
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
