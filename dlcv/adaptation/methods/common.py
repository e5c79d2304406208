"""What several methods use: a plan, networks with their optimizers, BatchNorm statistics, and losses."""

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
from torch.optim.lr_scheduler import LRScheduler

from dlcv.adaptation.config import Adaptation, Augmentation, Training
from dlcv.adaptation.networks import digits
from dlcv.adaptation.networks.digits import Classifier, DomainNetwork
from dlcv.data.batches import to_float
from dlcv.engine.averaging import recalibrated
from dlcv.engine.loop import Method
from dlcv.engine.optimizers import descend, make_optimizer
from dlcv.runtime.config import Params

STATISTICS_IMAGES = 4000  # maximum number of images for BatchNorm statistics
SHARES_MEMORY = 0.99  # of the means for the class shares of the target: over about 100 batches
SHARES_SMOOTHING = 0.01  # part of the estimated shares that is uniform, so that no class is impossible

Batch = dict[str, tuple[Tensor, Tensor]]  # "source" and, for a method that adapts, "target": images and labels
Backward = Callable[[Tensor], None]
Optimization = tuple[Optimizer, LRScheduler]


@dataclass(frozen=True)
class Plan:
    """A method that is ready to train, and how.

    Attributes:
        method: networks, optimizers and step.
        settings: the values of params.yaml that decide the result, apart from domains and seed.
        steps: of the training.
        ema_decay: of the averaged weights of the result; 0 for none.
        result: the network of `method` that is written, a `Classifier`.
        single: whether the method needs a training in one process.
        label_suffix: what the settings of this training add to the label of the method.
        domain_head: whether the domain head is trained, so that its accuracy is worth a score.
        statistics: "domain" if the network is evaluated on each domain with BatchNorm statistics of this domain.
        augmentation: by role ("source", "target") and by who sees the images ("" for the network), for the figure of
            the inputs; None for that of `adaptation.training`.
        finish: changes the result before it is written; gets the training images by role, uint8 N x 28 x 28 x 3.
    """

    method: Method
    settings: Mapping[str, Any]
    steps: int
    ema_decay: float = 0.0
    result: str = "network"
    single: bool = False
    label_suffix: str = ""
    domain_head: bool = False
    statistics: str | None = None
    augmentation: Mapping[str, Mapping[str, Augmentation]] | None = None
    finish: Callable[[nn.Module, Mapping[str, np.ndarray]], None] = lambda network, images: None


class Learner:
    """Networks and their optimizers: a `dlcv.engine.loop.Method` without its step.

    Args:
        networks: by name.
        optimizations: optimizer and schedule, by the name that `descend` gets.
    """

    def __init__(self, networks: Mapping[str, nn.Module], optimizations: Mapping[str, Optimization]):
        self.networks = dict(networks)
        self.optimizers = {name: optimizer for name, (optimizer, _) in optimizations.items()}
        self.schedulers = [scheduler for _, scheduler in optimizations.values()]

    def descend(self, name: str, loss: Tensor, backward: Backward) -> None:
        """One step of the optimizer `name`. Other parameters keep gradients, which nobody uses."""
        descend(self.optimizers[name], loss, backward)


def adamw(parameters: Iterable[Parameter], training: Training) -> Optimization:
    """AdamW and its schedule by `adaptation.training`."""
    return make_optimizer(
        "adamw",
        parameters,
        learning_rate=training.learning_rate,
        steps=training.steps,
        schedule=training.schedule,
        weight_decay=training.weight_decay,
    )


def domain_network(params: Params) -> DomainNetwork:
    """The network of `adaptation.network` with new weights."""
    section = params[Adaptation]
    training = section.training
    return digits.build(section.network, training.dropout, training.instance_norm, section.networks.model_dump())


def settings_of(params: Params) -> dict[str, Any]:
    """The settings of a method that trains a `domain_network` by `adaptation.training`."""
    section = params[Adaptation]
    return section.model_dump(include={"network", "networks", "training"})


def adapt_statistics(network: Classifier, images: np.ndarray) -> None:
    """Set the BatchNorm statistics to those of one domain (AdaBN, Li et al. 2018) and `network` to eval mode.

    Args:
        images: of the domain, in random order, uint8 N x 28 x 28 x 3; the first 4,000 are used.
    """
    device = next(network.parameters()).device
    chosen = torch.from_numpy(np.array(images[:STATISTICS_IMAGES]))
    with recalibrated(network):
        # Chunks of nearly equal size: BatchNorm refuses a batch of one.
        for chunk in chosen.chunk(max(1, len(chosen) // 200)):
            network.class_head(network.embed(to_float(chunk).to(device)))


def classify(logits: Tensor, labels: Tensor, smoothing: float) -> tuple[Tensor, dict[str, Tensor]]:
    """Cross-entropy of logits, N x 10, and labels, N; loss and accuracy for the curve."""
    loss = F.cross_entropy(logits, labels, label_smoothing=smoothing)
    return loss, {"class_loss": loss.detach(), "class_accuracy": (logits.argmax(1) == labels).float().mean()}


def information(logits: Tensor) -> Tensor:
    """Mutual information of images and predicted classes, in nats, at most log C, for logits N x C.

    The entropy of the mean prediction (high if all classes are predicted) minus the mean entropy of the predictions
    (low if each is confident): Shi and Sha, ICML 2012.
    """
    log_p = logits.log_softmax(1)
    mean = log_p.exp().mean(0)
    return -(mean * (mean + 1e-6).log()).sum() + (log_p.exp() * log_p).sum(1).mean()


class TargetShares(nn.Module):
    """The class shares of the target, estimated during training by black-box shift estimation (Lipton et al. 2018).

    The shares q solve M q = m, where m is the mean prediction for the target, and column j of M that for source images
    of class j; both are running means over the batches. Each batch brings one EM step of the maximum-likelihood
    solution, q_j <- q_j sum_i M_ij m_i / (M q)_i (Saerens et al. 2002; Garg et al. 2020), which keeps q >= 0 and its
    sum at 1. The predictions for source images are those of training: M has fewer errors than on new images.

    Means and estimate are buffers, so that a checkpoint has them.
    """

    def __init__(self) -> None:
        super().__init__()
        classes = digits.CLASSES
        self.register_buffer("joint", torch.eye(classes) / classes)  # prediction by class, mean over source images
        self.register_buffer("prediction", torch.full((classes,), 1 / classes))
        self.register_buffer("share", torch.full((classes,), 1 / classes))
        self.joint: Tensor
        self.prediction: Tensor
        self.share: Tensor

    @torch.no_grad()
    def update(self, source: Tensor, labels: Tensor, target: Tensor) -> Tensor:
        """The estimate after one more batch, 10, each share above 0.

        Args:
            source: logits for images of the source, N x 10, with their labels, N.
            target: logits for images of the target, N x 10.
        """
        of_label = F.one_hot(labels, digits.CLASSES)
        # No matrix product: autocast would compute it in bf16.
        joint = (source.float().softmax(1)[:, :, None] * of_label[:, None, :]).mean(0)
        self.joint.lerp_(joint, 1 - SHARES_MEMORY)
        self.prediction.lerp_(target.float().softmax(1).mean(0), 1 - SHARES_MEMORY)
        by_class = self.joint / self.joint.sum(0)
        ratio = self.prediction / (by_class * self.share).sum(1)
        self.share.mul_((by_class * ratio[:, None]).sum(0))
        return (1 - SHARES_SMOOTHING) * self.share + SHARES_SMOOTHING / digits.CLASSES


def information_to_shares(logits: Tensor, shares: Tensor) -> Tensor:
    """`information` with class shares, C, in place of uniform ones, in nats, at most 0.

    Minus the Kullback-Leibler divergence of the mean prediction to the shares, minus the mean entropy of the
    predictions.
    """
    return information(logits) + (logits.softmax(1).mean(0) * shares.log()).sum()


def strength(progress: float, maximum: float, gamma: float) -> float:
    """A weight at `progress` in [0, 1] that rises from 0 to `maximum`: lambda of Ganin et al. 2016, section 5.2.2."""
    return maximum * (2 / (1 + math.exp(-gamma * progress)) - 1)
