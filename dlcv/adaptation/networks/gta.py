"""The four networks of Generate To Adapt, as report 002 prints them; images are 32x32 inside.

A module of its own: a change here is to make no other method's training stale.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from dlcv.adaptation.augment import augment
from dlcv.adaptation.config import Augmentation
from dlcv.adaptation.networks.digits import CLASSES, instance_norm_of, resized

FEATURES = 128
SIZE = 32  # pixels; an image of the data has 28


class Generator(nn.Module):
    """Images in [-1, 1], N x 3 x 32 x 32, from features, classes and noise.

    Args:
        noise: dimensions of the normal noise.
        width: factor on the channels; 1, with 512 dimensions of noise, has 4,090,752 parameters.
    """

    def __init__(self, noise: int, width: float):
        super().__init__()
        self.noise = noise
        channels = [scaled(count, width) for count in (512, 256, 128, 64)]
        # 2x2 first: the kernel of the first layer is its output.
        layers: list[nn.Module] = [nn.ConvTranspose2d(noise + FEATURES + CLASSES + 1, channels[0], 2, bias=False)]
        for before, after in zip(channels, [*channels[1:], 3], strict=True):
            layers += [nn.BatchNorm2d(before), nn.ReLU(), nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False)]
        self.main = nn.Sequential(*layers, nn.Tanh())

    def forward(self, features: Tensor, classes: Tensor) -> Tensor:
        """Paint features, N x 128, as classes, N, where 10 stands for "unknown"; noise is drawn anew."""
        hot = nn.functional.one_hot(classes, CLASSES + 1).to(features.dtype)
        noise = torch.randn(len(features), self.noise, device=features.device, dtype=features.dtype)
        images: Tensor = self.main(torch.cat([noise, features, hot], dim=1)[:, :, None, None])
        return images


class Discriminator(nn.Module):
    """What an image in [-1, 1], N x 3 x 32 x 32, shows, and whether it is real.

    Args:
        width: factor on the channels; 1 has 668,427 parameters. The printed Sigmoid stands in the loss.
    """

    def __init__(self, width: float):
        super().__init__()
        channels = [scaled(count, width) for count in (64, 128, 256, 128)]
        layers: list[nn.Module] = []
        for before, after, pooling in zip([3, *channels[:-1]], channels, (2, 2, 2, 4), strict=True):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.LeakyReLU(0.2)]
            layers += [nn.MaxPool2d(pooling)]
        self.feature = nn.Sequential(*layers, nn.Flatten())
        self.classifier_c = nn.Linear(channels[-1], CLASSES)
        self.classifier_s = nn.Linear(channels[-1], 1)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the classes, N x 10, and of being real, N."""
        features = self.feature(images)
        return self.classifier_c(features), self.classifier_s(features)[:, 0]


class FeaturesAndClasses(nn.Module):
    """F and C, which are asked about digits.

    Args:
        instance_norm: of F's input, as in `dlcv.adaptation.networks.digits.DomainNetwork`.
        grey: whether images are made grey first.
    """

    def __init__(self, instance_norm: bool, grey: bool):
        super().__init__()
        self.grey = grey
        self.normalise = instance_norm_of(instance_norm)
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(64, 64, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(64, FEATURES, 5),
            nn.ReLU(),
            nn.Flatten(),
        )
        self.class_head = nn.Sequential(nn.Linear(FEATURES, FEATURES), nn.ReLU(), nn.Linear(FEATURES, CLASSES))
        # Before G and D draw random numbers: from one seed F and C begin the same with and without them.
        self.apply(initialise)

    def prepare(self, images: Tensor) -> Tensor:
        """Images in [-1, 1] at 32x32, and grey where the scenario asks for it."""
        return resized(to_grey(images) if self.grey else images, SIZE)

    def embed(self, images: Tensor) -> Tensor:
        """Output of F's convolutions, N x 128, for images in [-1, 1], N x 3 x 28 x 28."""
        features: Tensor = self.features(self.normalise(self.prepare(images)))
        return features

    def forward(self, part: str, *inputs: Tensor) -> Any:
        """Call a part by its name, such as `embed` or `class_head`.

        The training loop gives its precision to what passes through here.
        """
        return getattr(self, part)(*inputs)

    def printed(self) -> dict[str, tuple[nn.Module, nn.Module, Tensor]]:
        """Its parts as `dlcv.adaptation.methods.common.Plan` has them."""
        return {
            "F": (self.features, self.features, torch.zeros(1, 3, SIZE, SIZE)),
            "C": (self.class_head, self.class_head, torch.zeros(1, FEATURES)),
        }


class GTANetworks(FeaturesAndClasses):
    """F and C, and the `generator` G and `discriminator` D that teach F; D sees real images as `prepare` gives them.

    Args:
        noise, width: of generator and discriminator.
        instance_norm, grey: as in `FeaturesAndClasses`.
    """

    def __init__(self, noise: int, width: float, instance_norm: bool, grey: bool):
        super().__init__(instance_norm, grey)
        self.generator = Generator(noise, width).apply(initialise)
        self.discriminator = Discriminator(width).apply(initialise)

    def printed(self) -> dict[str, tuple[nn.Module, nn.Module, Tensor]]:
        """Its parts as `dlcv.adaptation.methods.common.Plan` has them."""
        generator, discriminator = self.generator, self.discriminator
        return {
            **super().printed(),
            "G": (generator, generator.main, torch.zeros(1, generator.noise + FEATURES + CLASSES + 1, 1, 1)),
            "D, without its two linear heads": (
                discriminator,
                discriminator.feature,
                torch.zeros(1, 3, SIZE, SIZE),
            ),
        }


def to_grey(images: Tensor) -> Tensor:
    """The brightness of images, N x 3 x H x W, in all three channels (ITU-R 601)."""
    weights = images.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    return (images * weights).sum(1, keepdim=True).expand_as(images)


def changed(images: Tensor, augmentation: Augmentation, grey: bool) -> Tensor:
    """Images in [-1, 1], N x 3 x H x W, changed at random, as F is shown them in training.

    Grey ones stay grey: inverting one channel of three would cancel brightness.
    """
    if grey:
        images = to_grey(images)[:, :1]
    return augment(images, augmentation).expand(-1, 3, -1, -1)


def scaled(count: int, width: float) -> int:
    """A number of channels times `width`, at least 1."""
    return max(1, round(count * width))


def initialise(module: nn.Module) -> None:
    """The reference's initial weights: normal, with a deviation of 0.02, and of 0.1 for linear layers."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.1)
        nn.init.zeros_(module.bias)
