"""Generator and discriminator of 64x64 RGB images, with the five reports' variants as parameters.

A discriminator gives logits: the reports' closing Sigmoid stands in the loss, where it is exact in
every precision, and has no parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from dlcv.gan.tasks import SIZE

LATENT = 100  # dimensions of the latent vector, in all five reports
SLOPE = 0.2  # of the leaky ReLU


@dataclass(frozen=True)
class Architecture:
    """What a report prints, at width 1."""

    generator_channels: int  # after the first layer, at 4x4; halved by every doubling of the size
    generator_kernel: Literal[4, 5]
    stem: Literal["convolution", "linear"]  # how the latent becomes 4x4
    generator_bias: bool  # of the last convolution
    discriminator_channels: int  # after the first layer, at 32x32; doubled by every halving of the size
    discriminator_kernel: Literal[4, 5]
    norm: Literal["batch", "layer"]  # of the discriminator
    spectral: bool  # spectral normalisation of the discriminator's weights
    discriminator_bias: bool


DCGAN = Architecture(512, 4, "convolution", False, 64, 4, "batch", False, False)
ARCHITECTURES: dict[str, Architecture] = {
    "dcgan": DCGAN,  # reports 000 A, 002 and 004 A
    "dcgan-noisy-labels": DCGAN,  # 000 B
    "dcgan-k5": Architecture(512, 5, "linear", True, 64, 5, "batch", False, True),  # 001 A
    "sngan": Architecture(512, 4, "convolution", False, 64, 4, "batch", True, False),  # 004 B
    "wgan-gp": Architecture(1024, 5, "convolution", False, 64, 4, "layer", True, False),  # 001 B
}


class Generator(nn.Module):
    """Latents, N x 100 from N(0, 1), to images, N x 3 x 64 x 64 in [-1, 1].

    Args:
        architecture: of `ARCHITECTURES`.
        width: factor on the channels.
    """

    def __init__(self, architecture: Architecture, width: float = 1.0):
        super().__init__()
        channels = round(architecture.generator_channels * width)
        if architecture.stem == "linear":
            stem = [nn.Linear(LATENT, channels * 16, bias=False), nn.BatchNorm1d(channels * 16), nn.ReLU()]
            self.stem = nn.Sequential(*stem, nn.Unflatten(1, (channels, 4, 4)))
        else:
            first = nn.ConvTranspose2d(LATENT, channels, 4, bias=False)
            self.stem = nn.Sequential(nn.Unflatten(1, (LATENT, 1, 1)), first, nn.BatchNorm2d(channels), nn.ReLU())
        # Twice the size from either kernel.
        kernel = architecture.generator_kernel

        def doubling(inputs: int, outputs: int, bias: bool) -> nn.ConvTranspose2d:
            return nn.ConvTranspose2d(inputs, outputs, kernel, 2, (kernel - 1) // 2, kernel % 2, bias=bias)

        layers: list[nn.Module] = []
        for _ in range(3):
            layers += [doubling(channels, channels // 2, False), nn.BatchNorm2d(channels // 2), nn.ReLU()]
            channels //= 2
        last = doubling(channels, 3, architecture.generator_bias)
        self.layers = nn.Sequential(*layers, last, nn.Tanh())

    def forward(self, latents: Tensor) -> Tensor:
        images: Tensor = self.layers(self.stem(latents))
        return images


class Discriminator(nn.Module):
    """Images, N x 3 x 64 x 64 in [-1, 1], to logits, N: how real each looks.

    Args:
        architecture: of `ARCHITECTURES`.
        width: factor on the channels.
    """

    def __init__(self, architecture: Architecture, width: float = 1.0):
        super().__init__()
        channels = round(architecture.discriminator_channels * width)
        kernel, bias = architecture.discriminator_kernel, architecture.discriminator_bias

        def halving(inputs: int, outputs: int) -> nn.Conv2d:
            return nn.Conv2d(inputs, outputs, kernel, stride=2, padding=(kernel - 1) // 2, bias=bias)

        layers: list[nn.Module] = [halving(3, channels), nn.LeakyReLU(SLOPE)]
        size = SIZE // 2
        for _ in range(3):
            size //= 2
            layers.append(halving(channels, 2 * channels))
            channels *= 2
            # A gradient penalty is one of each image alone, which BatchNorm would mix with the others.
            if architecture.norm == "layer":
                layers.append(nn.LayerNorm((channels, size, size)))
            else:
                layers.append(nn.BatchNorm2d(channels))
            layers.append(nn.LeakyReLU(SLOPE))
        self.layers = nn.Sequential(*layers, nn.Conv2d(channels, 1, 4, bias=bias), nn.Flatten(0))

    def forward(self, images: Tensor) -> Tensor:
        return self.logits(images)

    def logits(self, images: Tensor) -> Tensor:
        """As `forward`, which mixed precision wraps: the gradient penalty calls this, in fp32."""
        logits: Tensor = self.layers(images)
        return logits


def build(
    model: str, generator_width: float, discriminator_width: float, init_std: float
) -> tuple[Generator, Discriminator]:
    """The two networks of `model`, a key of `ARCHITECTURES`, freshly initialised.

    Args:
        generator_width, discriminator_width: factors on the channels.
        init_std: of the normal distributions that the first weights come from: convolutions and
            linear layers around 0, BatchNorm around 1 (Radford et al. 2016).
    """
    architecture = ARCHITECTURES[model]
    generator = Generator(architecture, generator_width)
    discriminator = Discriminator(architecture, discriminator_width)
    for network in (generator, discriminator):
        for module in network.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
                nn.init.normal_(module.weight, 0, init_std)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
                nn.init.normal_(module.weight, 1, init_std)
    if architecture.spectral:
        for module in discriminator.modules():
            if isinstance(module, nn.Conv2d):
                spectral_norm(module)
    return generator, discriminator


def latents(count: int, seed: int) -> Tensor:
    """`count` latent vectors, count x 100; the first n of a seed are the same for every count."""
    # Row by row, so that no vector depends on how many are asked for.
    generator = torch.Generator().manual_seed(seed)
    return torch.stack([torch.randn(LATENT, generator=generator) for _ in range(count)])
