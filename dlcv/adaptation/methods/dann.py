"""Domain-adversarial training of neural networks (Ganin et al., JMLR 2016).

The features learn to tell the source's digits and, through a reversed gradient, not to tell the
domains apart; the domain head learns to tell them apart.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from dlcv.adaptation.augment import augment
from dlcv.adaptation.config import Adaptation, Dann, Training
from dlcv.adaptation.methods.common import AdamWMethod, Backward, Batch, Plan, classify, information, strength
from dlcv.adaptation.networks import digits as networks
from dlcv.adaptation.networks.digits import DomainNetwork, architecture_of
from dlcv.runtime.config import Params


class DANN(AdamWMethod):
    """One update from `batch["source"]`, with labels, and `batch["target"]`, whose labels are not read.

    `dann.update: joint` is the paper's: one optimizer, one step. `alternating` is that of report 001's
    reference: the domain head takes a step on features that are held fixed, then features and class
    head take one against the domain head that has just learned.

    With `dann.information` above 0 the target's predictions are asked to be sure and diverse as well.
    """

    def __init__(self, network: DomainNetwork, training: Training, dann: Dann):
        parts = {"network": list(network.parameters())}
        if dann.update == "alternating":
            parts = {
                "domain_head": list(network.domain_head.parameters()),
                "network": [*network.features.parameters(), *network.class_head.parameters()],
            }
        super().__init__({"network": network}, training, parts)
        self.dann = dann

    def step(self, batch: Batch, progress: float, backward: Backward) -> dict[str, Tensor]:
        """One update; see `dlcv.engine.loop.Method`."""
        (source, labels), (target, _) = batch["source"], batch["target"]
        source, target = (augment(images, self.training.augmentation) for images in (source, target))
        domains = torch.cat([labels.new_zeros(len(source)), labels.new_ones(len(target))])
        lambda_ = strength(progress, self.dann.lambda_, self.dann.gamma)

        if self.dann.update == "alternating":
            # A reversal of strength 0 holds the features fixed.
            _, domain_logits = self._forward(source, target, 0.0)
            self.update("domain_head", domain_loss(domain_logits, domains), backward)

        class_logits, domain_logits = self._forward(source, target, lambda_)
        on_source, on_target = class_logits[: len(source)], class_logits[len(source) :]
        class_loss, values = classify(on_source, labels, self.training.label_smoothing)
        loss = class_loss + domain_loss(domain_logits, domains)
        if self.dann.information:
            gained = information(on_target)
            loss = loss - strength(progress, self.dann.information, self.dann.gamma) * gained
            values["information"] = gained.detach()
        self.update("network", loss, backward)
        return {
            **values,
            "domain_loss": domain_loss(domain_logits, domains).detach() / 2,
            "domain_accuracy": (domain_logits.argmax(1) == domains).float().mean(),
            "lambda": class_loss.new_tensor(lambda_),
        }

    def _forward(self, source: Tensor, target: Tensor, lambda_: float) -> tuple[Tensor, Tensor]:
        """Class logits, (N + M) x 10, and domain logits, (N + M) x 2, the source's first."""
        network = self.networks["network"]
        if self.dann.joint_batch:
            class_logits, domain_logits = network(torch.cat([source, target]), lambda_)
            return class_logits, domain_logits
        passes = [network(images, lambda_) for images in (source, target)]
        return torch.cat([classes for classes, _ in passes]), torch.cat([domains for _, domains in passes])


def domain_loss(logits: Tensor, domains: Tensor) -> Tensor:
    """Cross-entropy of each domain, a mean over its own images, summed, for logits N x 2 and domains N, 0 or 1."""
    losses = F.cross_entropy(logits, domains, reduction="none")
    return losses[domains == 0].mean() + losses[domains == 1].mean()


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
        "dann": params[Dann].model_dump(by_alias=True),
    }
    return Plan(
        DANN(network, training, params[Dann]),
        network.printed(),
        architecture,
        settings,
        training.steps,
        training.ema_decay,
    )
