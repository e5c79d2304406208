"""Domain-adversarial training of neural networks (Ganin et al., JMLR 2016).

The features learn to tell the source's digits and, through a reversed gradient, not to tell the
domains apart; the domain head learns to tell them apart. One optimizer updates all at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from dlcv.adaptation.augment import augment
from dlcv.adaptation.networks import DomainNetwork
from dlcv.adaptation.optimizer import adamw
from dlcv.adaptation.sections import Adaptation, Dann, Training
from dlcv.params import Params


def strength(progress: float, maximum: float, gamma: float) -> float:
    """Lambda of the reversal at `progress` in [0, 1]: from 0 towards `maximum` (section 5.2.2)."""
    return maximum * (2 / (1 + math.exp(-gamma * progress)) - 1)


def information(logits: Tensor) -> Tensor:
    """Mutual information of pictures and predicted classes, in nats, at most log C, for logits N x C.

    Entropy of the mean prediction (all classes are used) less the mean entropy of predictions (each
    is sure): Shi and Sha, ICML 2012.
    """
    log_p = logits.log_softmax(1)
    mean = log_p.exp().mean(0)
    return -(mean * (mean + 1e-6).log()).sum() + (log_p.exp() * log_p).sum(1).mean()


class DANN:
    """One update from `batch["source"]`, with labels, and `batch["target"]`, whose labels are not read.

    With `dann.information` above 0 the target's predictions are asked to be sure and diverse as well.
    """

    def __init__(self, network: DomainNetwork, training: Training, dann: Dann):
        self.training = training
        self.dann = dann
        self.networks: dict[str, nn.Module] = {"network": network}
        optimizer, schedule = adamw(network, training)
        self.optimizers: dict[str, Optimizer] = {"network": optimizer}
        self.schedulers: list[LRScheduler] = [schedule]

    def step(
        self, batch: dict[str, tuple[Tensor, Tensor]], progress: float, backward: Callable[[Tensor], None]
    ) -> dict[str, Tensor]:
        """One update; see `dlcv.training.Method`."""
        (source, labels), (target, _) = batch["source"], batch["target"]
        source, target = (augment(pictures, self.training.augmentation) for pictures in (source, target))
        lambda_ = strength(progress, self.dann.lambda_, self.dann.gamma)

        class_logits, domain_logits = self._forward(source, target, lambda_)
        on_source, on_target = class_logits[: len(source)], class_logits[len(source) :]
        class_loss = F.cross_entropy(on_source, labels, label_smoothing=self.training.label_smoothing)
        domains = torch.cat([labels.new_zeros(len(source)), labels.new_ones(len(target))])
        domain_losses = F.cross_entropy(domain_logits, domains, reduction="none")
        # Each domain's loss is a mean over its own pictures.
        loss = class_loss + domain_losses[: len(source)].mean() + domain_losses[len(source) :].mean()
        values = {}
        if self.dann.information:
            gained = information(on_target)
            loss = loss - strength(progress, self.dann.information, self.dann.gamma) * gained
            values["information"] = gained.detach()

        self.optimizers["network"].zero_grad()
        backward(loss)
        self.optimizers["network"].step()
        return {
            "class_loss": class_loss.detach(),
            "class_accuracy": (on_source.argmax(1) == labels).float().mean(),
            "domain_loss": domain_losses.detach().mean(),
            "domain_accuracy": (domain_logits.argmax(1) == domains).float().mean(),
            "lambda": class_loss.new_tensor(lambda_),
            **values,
        }

    def _forward(self, source: Tensor, target: Tensor, lambda_: float) -> tuple[Tensor, Tensor]:
        """Class logits, (N + M) x 10, and domain logits, (N + M) x 2, the source's first."""
        network = self.networks["network"]
        if self.dann.joint_batch:
            class_logits, domain_logits = network(torch.cat([source, target]), lambda_)
            return class_logits, domain_logits
        passes = [network(pictures, lambda_) for pictures in (source, target)]
        return torch.cat([classes for classes, _ in passes]), torch.cat([domains for _, domains in passes])


def build(network: DomainNetwork, params: Params) -> DANN:
    """The method as params.yaml sets it."""
    return DANN(network, params[Adaptation].training, params[Dann])
