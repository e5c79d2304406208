"""The training step of the variational autoencoder (Kingma and Welling 2014).

The loss of an image is |x - x'|^2 / 12288 + w KL. Divided by w, it is the negative evidence lower bound of a decoder
N(x', s^2) with s^2 = 12288 w / 2, up to a constant; report 002's w = 1e-5 gives s = 0.25.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from dlcv.data.batches import mirrored
from dlcv.engine.optimizers import descend, make_optimizer
from dlcv.vae.config import Training
from dlcv.vae.losses import divergence, squared_error
from dlcv.vae.networks import Autoencoder


class VAE:
    """Updates from batches of images."""

    def __init__(self, network: Autoencoder, settings: Training):
        self.settings = settings
        self.latent = network.fc_mu.out_features
        optimizer, scheduler = make_optimizer(
            "adamw",
            network.parameters(),
            learning_rate=settings.learning_rate,
            steps=settings.steps,
            schedule=settings.schedule,
            weight_decay=settings.weight_decay,
        )
        self.networks: dict[str, nn.Module] = {"network": network}
        self.optimizers: dict[str, Optimizer] = {"network": optimizer}
        self.schedulers: list[LRScheduler] = [scheduler]

    def step(
        self, batch: tuple[Tensor, Tensor], progress: float, backward: Callable[[Tensor], None]
    ) -> dict[str, Tensor]:
        """One update; see `dlcv.engine.loop.Method`."""
        images, _ = batch
        if self.settings.flip:
            images = mirrored(images)
        noise = torch.randn(len(images), self.latent, device=images.device)
        reconstructions, mean, log_variance = self.networks["network"](images, noise)
        reconstruction = squared_error(reconstructions, images).mean()
        kl = divergence(mean, log_variance).mean()
        loss = reconstruction + self.settings.kl_weight * kl
        descend(self.optimizers["network"], loss, backward)
        return {"loss": loss.detach(), "reconstruction": reconstruction.detach(), "kl": kl.detach()}
