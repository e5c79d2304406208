"""The networks of domain adaptation: one feature extractor with a class and a domain head.

Each is named in `NETWORKS`; all share `DomainNetwork`, so a method does not know which it trains.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


class GradientReversal(torch.autograd.Function):
    """Identity forward, gradient times -strength backward (Ganin et al. 2016, equation 17)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, strength: float) -> Tensor:
        ctx.strength = strength
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0] * -ctx.strength, None


class DomainNetwork(nn.Module):
    """Features, a class head and a domain head behind a gradient reversal.

    Args:
        features: pictures, N x 3 x 28 x 28, to features, N x D.
        class_head: features to logits of the 10 digits.
        domain_head: features to logits of (source, target).
        instance_norm: whether each channel of each picture is brought to mean 0 and standard
            deviation 1 first. It has no parameters; what it removes is colour cast and contrast.
    """

    def __init__(self, features: nn.Module, class_head: nn.Module, domain_head: nn.Module, instance_norm: bool):
        super().__init__()
        # The variance of a picture in [-1, 1] is about 0.1; eps keeps a blank one from becoming noise.
        self.normalise = nn.InstanceNorm2d(3, eps=1e-2) if instance_norm else nn.Identity()
        self.features = features
        self.class_head = class_head
        self.domain_head = domain_head

    def embed(self, pictures: Tensor) -> Tensor:
        """Output of the convolutions, N x D, for pictures in [-1, 1], N x 3 x 28 x 28."""
        features: Tensor = self.features(self.normalise(pictures))
        return features

    def forward(self, pictures: Tensor, strength: float = 0.0) -> tuple[Tensor, Tensor]:
        """Logits of the classes, N x 10, and of the domains, N x 2.

        Args:
            pictures: in [-1, 1], N x 3 x 28 x 28.
            strength: lambda of the reversal: the gradient of a loss on the domain logits reaches
                the features times -strength, and the domain head itself in full.
        """
        features = self.embed(pictures)
        return self.class_head(features), self.domain_head(GradientReversal.apply(features, strength))


def lenet(dropout: float, instance_norm: bool) -> DomainNetwork:
    """The network of report 002, after fungtion/DANN: 257,254 parameters, 800 features.

    The printed LogSoftmax stands in the loss (cross-entropy on logits).
    """
    features = nn.Sequential(
        nn.Conv2d(3, 64, 5),
        nn.BatchNorm2d(64),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Conv2d(64, 50, 5),
        nn.BatchNorm2d(50),
        nn.Dropout2d(dropout),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Flatten(),
    )
    class_head = nn.Sequential(
        nn.Linear(800, 100),
        nn.BatchNorm1d(100),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(100, 100),
        nn.BatchNorm1d(100),
        nn.ReLU(),
        nn.Linear(100, 10),
    )
    domain_head = nn.Sequential(
        nn.Linear(800, 100),
        nn.BatchNorm1d(100),
        nn.ReLU(),
        nn.Linear(100, 2),
    )
    return DomainNetwork(features, class_head, domain_head, instance_norm)


NETWORKS: dict[str, Callable[[float, bool], DomainNetwork]] = {"lenet": lenet}
