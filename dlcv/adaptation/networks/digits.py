"""The networks of domain adaptation: one feature extractor with a class and a domain head.

Each is named in `NETWORKS`; all share `DomainNetwork`, so a method does not know which it trains. A
printed LogSoftmax or Sigmoid stands in the loss, which takes logits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcv.adaptation.config import Adaptation, NetworkSettings

CLASSES = 10
Parts = tuple[nn.Module, nn.Module, nn.Module]  # features, class head, domain head


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
        features: images, N x 3 x S x S, to features, N x D.
        class_head: features to logits of the digits.
        domain_head: features to logits of (source, target).
        instance_norm: whether each channel of each image is brought to mean 0 and standard
            deviation 1 first. It has no parameters; what it removes is colour cast and contrast.
        size: S; images of another size are resized, after they are normalised.
    """

    def __init__(
        self,
        features: nn.Module,
        class_head: nn.Module,
        domain_head: nn.Module,
        instance_norm: bool,
        size: int = 28,
    ):
        super().__init__()
        self.normalise = instance_norm_of(instance_norm)
        self.features = features
        self.class_head = class_head
        self.domain_head = domain_head
        self.size = size

    def embed(self, images: Tensor) -> Tensor:
        """Output of the convolutions, N x D, for images in [-1, 1], N x 3 x 28 x 28."""
        features: Tensor = self.features(resized(self.normalise(images), self.size))
        return features

    def forward(self, images: Tensor, strength: float = 0.0) -> tuple[Tensor, Tensor]:
        """Logits of the classes, N x 10, and of the domains, N x 2.

        Args:
            images: in [-1, 1], N x 3 x 28 x 28.
            strength: lambda of the reversal: the gradient of a loss on the domain logits reaches
                the features times -strength, and the domain head itself in full. 0 detaches them.
        """
        features = self.embed(images)
        # Without reversal nothing is to go back to the features: a gradient of zeros would cost as much as one.
        seen = GradientReversal.apply(features, strength) if strength else features.detach()
        return self.class_head(features), self.domain_head(seen)

    def printed(self) -> dict[str, tuple[nn.Module, nn.Module, Tensor]]:
        """Its parts as `dlcv.adaptation.methods.common.Plan` has them."""
        parts = {"features": self.features, "class head": self.class_head, "domain head": self.domain_head}
        image = torch.zeros(1, 3, self.size, self.size)
        width = next(part.in_features for part in self.class_head.modules() if isinstance(part, nn.Linear))
        features = torch.zeros(1, width)
        return {name: (part, part, image if name == "features" else features) for name, part in parts.items()}


def instance_norm_of(wanted: bool) -> nn.Module:
    """The normalisation of each channel of each image, in [-1, 1], if it is wanted."""
    # The variance of an image is about 0.1; eps keeps a blank one from becoming noise.
    return nn.InstanceNorm2d(3, eps=1e-2) if wanted else nn.Identity()


def resized(images: Tensor, size: int) -> Tensor:
    """Images N x C x H x W at size x size; the same ones where they have it."""
    if images.shape[-1] == size:
        return images
    return F.interpolate(images, size=(size, size), mode="bilinear", align_corners=False)


class OneLogit(nn.Module):
    """Logits of (source, target), N x 2, from one logit of the target, N x 1.

    The softmax of (0, z) is the sigmoid of z: cross-entropy on these is binary cross-entropy on that.
    """

    def forward(self, logit: Tensor) -> Tensor:
        return torch.cat([torch.zeros_like(logit), logit], dim=1)


def lenet(dropout: float, settings: NetworkSettings) -> Parts:
    """The network of report 002, after fungtion/DANN: 257,254 parameters, 800 features."""
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
    return features, hidden_100(800, dropout), domain_100(800)


def deep(dropout: float, settings: NetworkSettings) -> Parts:
    """The network of report 001: five 3x3 convolutions, 512 features; 3,729,163 parameters, whatever the poolings.

    With `poolings: 2` as it prints: 28 → 14 → 7 → 5 → 3 → 1. With 5 as its reference has it, the
    homework whose images are 32x32: every convolution keeps the size and every pooling halves it. It
    has no dropout.
    """
    halve_all = settings.deep.poolings == 5
    layers: list[nn.Module] = []
    channels = (3, 64, 128, 256, 256, 512)
    for index, (before, after) in enumerate(pairwise(channels)):
        halve = halve_all or index < 2
        layers += [nn.Conv2d(before, after, 3, padding=1 if halve else 0), nn.BatchNorm2d(after), nn.ReLU()]
        layers += [nn.MaxPool2d(2)] if halve else []
    class_head = nn.Sequential(nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, CLASSES))
    hidden = [part for _ in range(4) for part in (nn.Linear(512, 512), nn.BatchNorm1d(512), nn.ReLU())]
    return nn.Sequential(*layers, nn.Flatten()), class_head, nn.Sequential(*hidden, nn.Linear(512, 1), OneLogit())


def wide(dropout: float, settings: NetworkSettings) -> Parts:
    """The network of report 003: 64-64-128 channels, 512 features, 295,952 parameters."""
    features = nn.Sequential(
        nn.Conv2d(3, 64, 5),
        nn.BatchNorm2d(64),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Conv2d(64, 64, 5),
        nn.BatchNorm2d(64),
        nn.Dropout2d(dropout),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Conv2d(64, 128, 3),
        nn.Flatten(),
    )
    return features, hidden_100(512, dropout), domain_100(512)


def mish(dropout: float, settings: NetworkSettings) -> Parts:
    """The network of report 004: 768 features; 355,164 parameters with its class head of 192 and 128.

    The report drops 0.3. It finds that the class head "should not be too hard" for SVHN and that a
    deeper one is better for USPS: `mish.hidden` has its widths.
    """
    features = nn.Sequential(
        nn.Conv2d(3, 64, 5),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(64, 48, 5),
        nn.BatchNorm2d(48),
        nn.Dropout2d(dropout),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
    )
    return features, mish_head(768, settings.mish.hidden, CLASSES, dropout), mish_head(768, [128], 2, dropout)


def compact(dropout: float, settings: NetworkSettings) -> Parts:
    """Ours: six 3x3 convolutions, each with BatchNorm and leaky ReLU, whose mean over places is 128 features.

    A digit that moves changes the mean little, where a flattened map changes in every entry.
    """
    layers: list[nn.Module] = []
    channels = (3, 32, 48, 64, 64, 128, 128)
    for index, (before, after) in enumerate(pairwise(channels)):
        layers += [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.LeakyReLU(0.1)]
        if index in (0, 3):  # 28 → 14 → 7: the first pooling comes early, where places are dear
            layers += [nn.MaxPool2d(2), nn.Dropout2d(dropout / 2)]
    features = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return features, nn.Sequential(nn.Dropout(dropout), nn.Linear(128, CLASSES)), domain_100(128)


def hidden_100(features: int, dropout: float) -> nn.Module:
    """The class head of reports 002 and 003."""
    return nn.Sequential(
        nn.Linear(features, 100),
        nn.BatchNorm1d(100),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(100, 100),
        nn.BatchNorm1d(100),
        nn.ReLU(),
        nn.Linear(100, CLASSES),
    )


def domain_100(features: int) -> nn.Module:
    """The domain head of reports 002 and 003."""
    return nn.Sequential(nn.Linear(features, 100), nn.BatchNorm1d(100), nn.ReLU(), nn.Linear(100, 2))


def mish_head(features: int, hidden: Sequence[int], outputs: int, dropout: float) -> nn.Module:
    """A head of report 004: hidden layers of the widths `hidden`, each behind dropout."""
    widths = [features, *hidden]
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Dropout(dropout), nn.Linear(before, after), nn.BatchNorm1d(after), nn.Mish()]
    return nn.Sequential(*layers, nn.Linear(widths[-1], outputs))


NETWORKS: dict[str, Callable[[float, NetworkSettings], Parts]] = {
    "lenet": lenet,
    "deep": deep,
    "wide": wide,
    "mish": mish,
    "compact": compact,
}


def build(network: str, dropout: float, instance_norm: bool, settings: Mapping[str, Any]) -> DomainNetwork:
    """A network with fresh weights.

    Args:
        network: a key of `NETWORKS`.
        dropout: share of what is dropped, in [0, 1), where the network drops anything.
        instance_norm: as in `DomainNetwork`.
        settings: `adaptation.networks`.
    """
    typed = NetworkSettings.model_validate(settings)
    # Five halvings need 32 pixels.
    size = 32 if network == "deep" and typed.deep.poolings == 5 else 28
    return DomainNetwork(*NETWORKS[network](dropout, typed), instance_norm, size)


def architecture_of(network: str, section: Adaptation, dropout: float, instance_norm: bool) -> dict[str, Any]:
    """The arguments of `build`, as the JSON beside the weights holds them."""
    return {
        "network": network,
        "dropout": dropout,
        "instance_norm": instance_norm,
        "settings": section.networks.model_dump(),
    }
