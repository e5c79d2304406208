"""The four networks of Generate To Adapt, as report 002 prints them. Inside they have images of 32x32 pixels."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from dlcv.adaptation.augment import augment
from dlcv.adaptation.config import Augmentation
from dlcv.adaptation.networks.digits import CLASSES, Classifier, resize
from dlcv.engine.layers import described
from dlcv.engine.weights import count_parameters

FEATURES = 128
SIZE = 32  # pixels; the images of the data have 28
UNKNOWN = CLASSES  # the class of images without a label


class Generator(nn.Module):
    """G: images in [-1, 1], N x 3 x 32 x 32, from features, classes and noise.

    Args:
        noise: dimensions of the normal noise.
        width: factor on the channels; 4,090,752 parameters with width 1 and 512 dimensions of noise.
    """

    def __init__(self, noise: int, width: float):
        super().__init__()
        self.noise = noise
        channels = [scaled(count, width) for count in (512, 256, 128, 64)]
        # The first layer maps 1x1 to 2x2, the size of its kernel.
        layers: list[nn.Module] = [nn.ConvTranspose2d(noise + FEATURES + CLASSES + 1, channels[0], 2, bias=False)]
        for before, after in zip(channels, [*channels[1:], 3], strict=True):
            layers += [nn.BatchNorm2d(before), nn.ReLU(), nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False)]
        self.main = nn.Sequential(*layers, nn.Tanh())

    def forward(self, features: Tensor, classes: Tensor) -> Tensor:
        """Images from features, N x 128, classes, N, each in 0 to 9 or `UNKNOWN`, and new noise."""
        hot = nn.functional.one_hot(classes, CLASSES + 1).to(features.dtype)
        noise = torch.randn(len(features), self.noise, device=features.device, dtype=features.dtype)
        images: Tensor = self.main(torch.cat([noise, features, hot], dim=1)[:, :, None, None])
        return images


class Discriminator(nn.Module):
    """D: the class of images in [-1, 1], N x 3 x 32 x 32, and whether they are real.

    Args:
        width: factor on the channels; 668,427 parameters with width 1. The printed Sigmoid is part of the loss.
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
        """Logits of the classes, N x 10, and of "real", N."""
        features = self.feature(images)
        return self.classifier_c(features), self.classifier_s(features)[:, 0]


class FeaturesAndClasses(Classifier):
    """F and C, the part that predicts digits.

    Args:
        instance_norm: of F's input, as in `Classifier`.
        grey: whether images are converted to grey.
    """

    def __init__(self, instance_norm: bool, grey: bool):
        features = nn.Sequential(
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
        class_head = nn.Sequential(nn.Linear(FEATURES, FEATURES), nn.ReLU(), nn.Linear(FEATURES, CLASSES))
        super().__init__(features, class_head, instance_norm)
        self.grey = grey
        # Before G and D draw random numbers: one seed gives F and C the same weights with and without them.
        self.apply(initialise)

    def prepare(self, images: Tensor) -> Tensor:
        """Images in [-1, 1], N x 3 x 32 x 32, converted to grey if the scenario is."""
        return resize(to_grey(images) if self.grey else images, SIZE)

    def embed(self, images: Tensor) -> Tensor:
        features: Tensor = self.features(self.normalise(self.prepare(images)))
        return features

    def augment(self, images: Tensor, augmentation: Augmentation) -> Tensor:
        # A grey image stays grey: inverting one channel of three would cancel the brightness.
        if self.grey:
            images = to_grey(images)[:, :1]
        return augment(images, augmentation).expand(-1, 3, -1, -1)

    def forward(self, part: str, *inputs: Tensor) -> Any:
        """Call a part by its name, such as `embed`, because the training loop sets the precision of `forward`."""
        return getattr(self, part)(*inputs)

    def description(self) -> dict[str, dict[str, Any]]:
        return {
            "F": described(self.features, torch.zeros(1, 3, SIZE, SIZE), depth=1),
            "C": described(self.class_head, torch.zeros(1, FEATURES), depth=1),
        }


class GTANetworks(FeaturesAndClasses):
    """F and C, and the `generator` G and `discriminator` D that train F. D's real images are those of `prepare`.

    Args:
        noise, width: of generator and discriminator.
        instance_norm, grey: as in `FeaturesAndClasses`.
    """

    def __init__(self, noise: int, width: float, instance_norm: bool, grey: bool):
        super().__init__(instance_norm, grey)
        self.generator = Generator(noise, width).apply(initialise)
        self.discriminator = Discriminator(width).apply(initialise)

    def description(self) -> dict[str, dict[str, Any]]:
        inputs = torch.zeros(1, self.generator.noise + FEATURES + CLASSES + 1, 1, 1)
        image = torch.zeros(1, 3, SIZE, SIZE)
        return {
            **super().description(),
            "G": described(self.generator.main, inputs, depth=1),
            "D, without its two linear heads": {
                **described(self.discriminator.feature, image, depth=1),
                "parameters": count_parameters(self.discriminator),
            },
        }

    def examples(self, source: Tensor, labels: Tensor, target: Tensor) -> dict[str, Tensor]:
        unknown = labels.new_full((len(target),), UNKNOWN)
        rows = {}
        for role, images, classes in (("source", source, labels), ("target", target, unknown)):
            rows[role] = self.prepare(images)
            rows[f"generated from {role}"] = self.generator(self.embed(images), classes)
        return rows


def build(network: str, **arguments: Any) -> FeaturesAndClasses:
    """The networks with new weights.

    Args:
        network: "gta" for all four networks, "gta-source" for F and C.
        arguments: of `GTANetworks` or `FeaturesAndClasses`.
    """
    built = NETWORKS[network](**arguments)
    built.architecture = {"file": "gta", "network": network, **arguments}
    return built


NETWORKS: dict[str, type[FeaturesAndClasses]] = {"gta": GTANetworks, "gta-source": FeaturesAndClasses}


def to_grey(images: Tensor) -> Tensor:
    """The brightness (ITU-R 601) of images, N x 3 x H x W, in each of the three channels."""
    red, green, blue = images.unbind(1)
    return (0.299 * red + 0.587 * green + 0.114 * blue)[:, None].expand_as(images)


def scaled(count: int, width: float) -> int:
    """A number of channels times `width`, at least 1."""
    return max(1, round(count * width))


def initialise(module: nn.Module) -> None:
    """The initial weights of the reference: normal, with a standard deviation of 0.02, or 0.1 for linear layers."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.1)
        nn.init.zeros_(module.bias)
