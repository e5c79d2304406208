"""Generators and discriminators of 64x64 RGB images, as the reports print them at width 1.

A discriminator returns logits. The Sigmoid that the reports print at its end is part of the loss, where it is exact in
every precision; it has no parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

SIZE = 64  # pixels
LATENT = 100  # dimensions, in every report
SLOPE = 0.2  # of the leaky ReLU


@dataclass(frozen=True)
class Architecture:
    """What differs between the reports' networks. The defaults are those of DCGAN (Radford et al. 2016)."""

    generator_channels: int = 512  # of the first layer, at 4x4; halved whenever the size doubles
    generator_kernel: Literal[4, 5] = 4
    stem: Literal["convolution", "linear"] = "convolution"  # from the latent to 4x4
    generator_bias: bool = False  # of the last convolution
    discriminator_channels: int = 64  # of the first layer, at 32x32; doubled whenever the size halves
    discriminator_kernel: Literal[4, 5] = 4
    discriminator_norm: Literal["batch", "layer"] = "batch"
    spectral_norm: bool = False  # of the discriminator's weights
    discriminator_bias: bool = False


ARCHITECTURES: dict[str, Architecture] = {
    "dcgan": Architecture(),  # reports 000, 002 and 004 A
    "dcgan-k5": Architecture(  # report 001 A
        generator_kernel=5, stem="linear", generator_bias=True, discriminator_kernel=5, discriminator_bias=True
    ),
    "sngan": Architecture(spectral_norm=True),  # report 004 B
    "wgan-gp": Architecture(  # report 001 B
        generator_channels=1024, generator_kernel=5, discriminator_norm="layer", spectral_norm=True
    ),
}


class Generator(nn.Module):
    """Latents, N x 100 from N(0, 1), to images, N x 3 x 64 x 64 in [-1, 1].

    Args:
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
        kernel = architecture.generator_kernel

        def doubling(inputs: int, outputs: int, bias: bool) -> nn.ConvTranspose2d:
            # The size doubles exactly with an even and with an odd kernel.
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
    """Images, N x 3 x 64 x 64 in [-1, 1], to logits, N; a high logit stands for a real image.

    Args:
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
            # A gradient penalty needs the gradient of each image alone; BatchNorm would mix the images of a batch.
            if architecture.discriminator_norm == "layer":
                layers.append(nn.LayerNorm((channels, size, size)))
            else:
                layers.append(nn.BatchNorm2d(channels))
            layers.append(nn.LeakyReLU(SLOPE))
        self.layers = nn.Sequential(*layers, nn.Conv2d(channels, 1, 4, bias=bias), nn.Flatten(0))

    def forward(self, images: Tensor) -> Tensor:
        return self.logits(images)

    def logits(self, images: Tensor) -> Tensor:
        """The same as `forward`, which accelerate wraps in autocast: the gradient penalty needs fp32."""
        logits: Tensor = self.layers(images)
        return logits


def build(
    architecture: str, generator_width: float, discriminator_width: float, init_std: float
) -> tuple[Generator, Discriminator]:
    """Both networks with initial weights.

    Args:
        architecture: a key of `ARCHITECTURES`.
        generator_width, discriminator_width: factors on the channels.
        init_std: standard deviation of the initial weights, which are normal: around 0 for convolutions and linear
            layers, around 1 for BatchNorm (Radford et al. 2016).
    """
    chosen = ARCHITECTURES[architecture]
    generator, discriminator = Generator(chosen, generator_width), Discriminator(chosen, discriminator_width)
    for network in (generator, discriminator):
        for module in network.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
                nn.init.normal_(module.weight, 0, init_std)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
                nn.init.normal_(module.weight, 1, init_std)
    if chosen.spectral_norm:
        for module in discriminator.modules():
            if isinstance(module, nn.Conv2d):
                spectral_norm(module)
    return generator, discriminator
