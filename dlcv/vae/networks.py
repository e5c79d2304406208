"""The autoencoder of 64x64 RGB images, as report 002 prints it at width 1.

It is AntixK's vanilla VAE with a latent of 512 dimensions: the linear layer at the start of the decoder and the ten
blocks are the same.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

SIZE = 64  # pixels
CHANNELS = (32, 64, 128, 256, 512)  # of the encoder, at 32x32 to 2x2
CORNER = 2  # pixels on a side of the last feature map
# Standard deviations from 4.5e-5 to 148; every precision holds the square of the largest. Without the limit an
# exponential that overflows would end the training. Beyond a limit the gradient is 0; a unit at the upper one costs
# 11,000 nats.
LOG_VARIANCE = (-20.0, 10.0)


class Autoencoder(nn.Module):
    """Images, N x 3 x 64 x 64 in [-1, 1], to posteriors over latents and back.

    The layers have the names that report 002 prints.

    Args:
        width: factor on the channels; it does not change the latent.
        latent: dimensions of the latent.
    """

    def __init__(self, width: float = 1.0, latent: int = 512):
        super().__init__()
        channels = [round(count * width) for count in CHANNELS]
        self.channels = channels
        self.encoder = nn.Sequential(
            *(
                _block(nn.Conv2d(inputs, outputs, 3, stride=2, padding=1))
                for inputs, outputs in pairwise([3, *channels])
            )
        )
        features = channels[-1] * CORNER * CORNER
        self.fc_mu = nn.Linear(features, latent)
        self.fc_var = nn.Linear(features, latent)  # the logarithm of the variance
        self.decode_input = nn.Linear(latent, features)
        self.decoder = nn.Sequential(
            *(
                _block(nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1))
                for inputs, outputs in pairwise([*reversed(channels), channels[0]])
            )
        )
        self.final_layer = nn.Sequential(nn.Conv2d(channels[0], 3, 3, padding=1), nn.Tanh())

    def forward(self, images: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Reconstructions, means and log-variances of images and standard normal noise, N x latent."""
        mean, log_variance = self.encode(images)
        return self.decode(reparameterise(mean, log_variance, noise)), mean, log_variance

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of each posterior, N x latent each, in fp32 at every precision."""
        features = self.encoder(images).flatten(1)
        return self.fc_mu(features).float(), self.fc_var(features).float().clamp(*LOG_VARIANCE)

    def decode(self, latents: Tensor) -> Tensor:
        """Latents, N x latent, to images, N x 3 x 64 x 64 in [-1, 1]."""
        features = self.decode_input(latents).unflatten(1, (-1, CORNER, CORNER))
        images: Tensor = self.final_layer(self.decoder(features))
        return images


def reparameterise(mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    """A latent from each posterior as a function of standard normal noise (Kingma and Welling 2014)."""
    return mean + (log_variance / 2).exp() * noise


def _block(convolution: nn.Conv2d | nn.ConvTranspose2d) -> nn.Sequential:
    return nn.Sequential(convolution, nn.BatchNorm2d(convolution.out_channels), nn.LeakyReLU())
