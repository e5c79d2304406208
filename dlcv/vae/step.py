"""The training step of the variational autoencoder (Kingma and Welling 2014), with a weight on the divergence.

The loss is, of each image, |x - x'|^2 / 12288 + w KL. Times 12288 / (2 s^2), where s^2 = 12288 w / 2, that is the
negative evidence bound of a decoder of normal distribution with deviation s, up to a constant: 0.25 at report 002's
w = 1e-5.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LRScheduler

from dlcv.data.batches import mirrored
from dlcv.engine.loop import scheduler
from dlcv.vae.config import Training
from dlcv.vae.losses import divergence, squared_error
from dlcv.vae.networks import Autoencoder


class VAE:
    """Updates from batches of images."""

    def __init__(self, network: Autoencoder, training: Training):
        self.training = training
        self.latent = network.fc_mu.out_features
        optimizer = AdamW(network.parameters(), lr=training.learning_rate, weight_decay=training.weight_decay)
        self.networks: dict[str, nn.Module] = {"network": network}
        self.optimizers: dict[str, Optimizer] = {"network": optimizer}
        self.schedulers: list[LRScheduler] = [scheduler(training.schedule, optimizer, training.steps)]

    def step(
        self, batch: tuple[Tensor, Tensor], progress: float, backward: Callable[[Tensor], None]
    ) -> dict[str, Tensor]:
        """One update from images; see `dlcv.engine.loop.Method`."""
        images, _ = batch
        if self.training.flip:
            images = mirrored(images)
        noise = torch.randn(len(images), self.latent, device=images.device)
        reconstructions, mean, log_variance = self.networks["network"](images, noise)
        reconstruction = squared_error(reconstructions, images).mean()
        kl = divergence(mean, log_variance).mean()
        loss = reconstruction + self.training.kl_weight * kl
        self.optimizers["network"].zero_grad()
        backward(loss)
        self.optimizers["network"].step()
        return {"loss": loss.detach(), "reconstruction": reconstruction.detach(), "kl": kl.detach()}
