"""The networks of domain adaptation: a feature extractor with a class head and a domain head.

`NETWORKS` has their names. Each is a `DomainNetwork`, so a method can train any of them. The LogSoftmax and Sigmoid
that the reports print are part of the losses, which take logits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcv.adaptation.augment import augment
from dlcv.adaptation.config import Augmentation, NetworkSettings
from dlcv.engine.layers import described

CLASSES = 10
Parts = tuple[nn.Module, nn.Module, nn.Module]  # features, class head, domain head


class Classifier(nn.Module):
    """Features and a class head: the part of a network that is evaluated.

    Args:
        features: images, N x 3 x S x S, to features, N x D.
        class_head: features to logits, N x 10.
        instance_norm: whether each channel of each image is normalised to mean 0 and standard deviation 1. This removes
            colour cast and contrast; it has no parameters.

    Attributes:
        architecture: the arguments of `build` in the network's file, and under `file` the name of this file.
    """

    architecture: dict[str, Any]

    def __init__(self, features: nn.Module, class_head: nn.Module, instance_norm: bool):
        super().__init__()
        # The variance of an image is about 0.1; eps keeps a uniform image from becoming noise.
        self.normalise = nn.InstanceNorm2d(3, eps=1e-2) if instance_norm else nn.Identity()
        self.features = features
        self.class_head = class_head

    def embed(self, images: Tensor) -> Tensor:
        """Features, N x D, of images in [-1, 1], N x 3 x 28 x 28."""
        raise NotImplementedError

    def augment(self, images: Tensor, augmentation: Augmentation) -> Tensor:
        """Images in [-1, 1], N x 3 x H x W, with random changes."""
        return augment(images, augmentation)

    def description(self) -> dict[str, dict[str, Any]]:
        """Number of parameters and layers of each part, for the report."""
        raise NotImplementedError

    def examples(self, source: Tensor, labels: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Rows of images that only this network can make, by label; none for a network that makes no images.

        Args:
            source, target: images in [-1, 1], N x 3 x 28 x 28.
            labels: of the source images, N.
        """
        return {}


class Output(NamedTuple):
    """What a `DomainNetwork` returns for N images."""

    features: Tensor  # N x D
    classes: Tensor  # logits, N x 10
    domains: Tensor  # logits of (source, target), N x 2


class DomainNetwork(Classifier):
    """A classifier with a domain head behind a gradient reversal.

    Args:
        domain_head: features to logits of (source, target), N x 2.
        size: S; images of another size are resized after they are normalised.
        features, class_head, instance_norm: as in `Classifier`.
    """

    def __init__(
        self,
        features: nn.Module,
        class_head: nn.Module,
        domain_head: nn.Module,
        instance_norm: bool,
        size: int = 28,
    ):
        super().__init__(features, class_head, instance_norm)
        self.domain_head = domain_head
        self.size = size

    def embed(self, images: Tensor) -> Tensor:
        features: Tensor = self.features(resize(self.normalise(images), self.size))
        return features

    def forward(self, images: Tensor, strength: Tensor | None = None) -> Output:
        """Features and logits of images in [-1, 1], N x 3 x 28 x 28.

        Args:
            strength: lambda of the gradient reversal, a scalar: the gradient of a loss on the domain logits reaches the
                features times -strength, and the domain head unchanged. None detaches the features from the domain
                head.
        """
        features = self.embed(images)
        seen = features.detach() if strength is None else GradientReversal.apply(features, strength)
        return Output(features, self.class_head(features), self.domain_head(seen))

    def description(self) -> dict[str, dict[str, Any]]:
        image = torch.zeros(1, 3, self.size, self.size)
        width = next(part.in_features for part in self.class_head.modules() if isinstance(part, nn.Linear))
        features = torch.zeros(1, width)
        return {
            "features": described(self.features, image, depth=1),
            "class head": described(self.class_head, features, depth=1),
            "domain head": described(self.domain_head, features, depth=1),
        }


class GradientReversal(torch.autograd.Function):
    """Identity in the forward pass, gradient times -strength in the backward pass (Ganin et al. 2016, equation 17)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, strength: Tensor) -> Tensor:
        ctx.save_for_backward(strength)
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (strength,) = ctx.saved_tensors
        return gradients[0] * -strength, None


def resize(images: Tensor, size: int) -> Tensor:
    """Images N x C x H x W, bilinearly resized to size x size."""
    if images.shape[-1] == size:
        return images
    return F.interpolate(images, size=(size, size), mode="bilinear", align_corners=False)


class OneLogit(nn.Module):
    """Logits of (source, target), N x 2, from one logit of the target, N x 1.

    The softmax of (0, z) is the sigmoid of z, so cross-entropy of the two logits is binary cross-entropy of the one.
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
    """The network of report 001: five 3x3 convolutions, 512 features, no dropout; 3,729,163 parameters.

    With `poolings: 2`, as the report prints it, the sizes are 28 → 14 → 7 → 5 → 3 → 1. With 5, as in its reference for
    32x32 images, every convolution keeps the size and every pooling halves it.
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
    """The network of report 004: 768 features; 355,164 parameters with a class head of widths 192 and 128.

    The report has a dropout of 0.3. It finds that a smaller class head is better for SVHN and a deeper one for USPS;
    `mish.hidden` sets the widths.
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
    """Our network: six 3x3 convolutions with BatchNorm and leaky ReLU; 128 features, the means over all positions.

    A shift of the digit changes the means little, but every entry of a flattened feature map.
    """
    layers: list[nn.Module] = []
    channels = (3, 32, 48, 64, 64, 128, 128)
    for index, (before, after) in enumerate(pairwise(channels)):
        layers += [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.LeakyReLU(0.1)]
        if index in (0, 3):  # 28 → 14 → 7; pool early: most of the compute is at full resolution
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
    """A head of report 004: hidden layers of the widths `hidden`, each after dropout."""
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
    """A network with new weights.

    Args:
        network: a key of `NETWORKS`.
        dropout: probability, in [0, 1), of the networks that have dropout.
        instance_norm: as in `Classifier`.
        settings: `adaptation.networks` of params.yaml.
    """
    typed = NetworkSettings.model_validate(settings)
    # Five poolings need 32 pixels.
    size = 32 if network == "deep" and typed.deep.poolings == 5 else 28
    built = DomainNetwork(*NETWORKS[network](dropout, typed), instance_norm, size)
    built.architecture = {
        "file": "digits",
        "network": network,
        "dropout": dropout,
        "instance_norm": instance_norm,
        "settings": dict(settings),
    }
    return built
