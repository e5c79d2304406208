"""The adversarial training step (Goodfellow et al. 2014), for all five models.

The discriminator learns to tell real images from the generator's; the generator learns to be taken
for real. What differs between the models stands in params.yaml.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from dlcv.data.batches import mirrored
from dlcv.engine.loop import scheduler
from dlcv.gan.config import Settings, Training
from dlcv.gan.losses import LOSSES, gradient_penalty
from dlcv.gan.networks import LATENT, Discriminator, Generator

OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


class GAN:
    """Updates from batches of `discriminator_steps` times `batch_size` real images."""

    def __init__(self, generator: Generator, discriminator: Discriminator, settings: Settings, training: Training):
        self.settings = settings
        self.training = training
        self.loss = LOSSES[settings.loss]
        self.discriminator = discriminator
        self.networks: dict[str, nn.Module] = {"generator": generator, "discriminator": discriminator}
        self.optimizers: dict[str, Optimizer] = {
            name: OPTIMIZERS[settings.optimizer](
                network.parameters(), lr=rate, betas=tuple(settings.betas), weight_decay=settings.weight_decay
            )
            for (name, network), rate in zip(
                self.networks.items(), (settings.generator_rate, settings.discriminator_rate), strict=True
            )
        }
        self.schedulers: list[LRScheduler] = [
            scheduler(training.schedule, optimizer, settings.steps) for optimizer in self.optimizers.values()
        ]

    def step(
        self, batch: tuple[Tensor, Tensor], progress: float, backward: Callable[[Tensor], None]
    ) -> dict[str, Tensor]:
        """`discriminator_steps` updates of the discriminator, then one of the generator."""
        generator, discriminator = self.networks["generator"], self.networks["discriminator"]
        images, _ = batch
        if self.training.flip:
            images = mirrored(images)
        noise = self.settings.image_noise * (1 - progress)

        for index, real in enumerate(images.tensor_split(self.settings.discriminator_steps)):
            fake = generator(torch.randn(len(real), LATENT, device=real.device))
            values = self._update_discriminator(real, fake.detach(), noise, self._turn(progress, index), backward)

        # The generator needs the gradient through the discriminator, not that of its weights.
        discriminator.requires_grad_(False)
        loss = self.loss.generator(discriminator(_noisy(fake, noise)))
        self.optimizers["generator"].zero_grad()
        backward(loss)
        self.optimizers["generator"].step()
        discriminator.requires_grad_(True)
        # How much the images of a batch differ: 0 is a generator that has collapsed to one image.
        return {"generator_loss": loss.detach(), **values, "diversity": fake.detach().std(0).mean()}

    def _update_discriminator(
        self, real: Tensor, fake: Tensor, noise: float, turn: int, backward: Callable[[Tensor], None]
    ) -> dict[str, Tensor]:
        settings = self.settings
        discriminator = self.networks["discriminator"]
        targets = [_uniform(real, *labels) for labels in (settings.real_labels, settings.fake_labels)]
        if settings.swap_labels:
            swap = torch.rand((), device=real.device) < settings.swap_labels
            targets = [torch.where(swap, other, own) for own, other in (targets, targets[::-1])]
        # Two passes: BatchNorm sees real and generated images apart, as in Radford et al.'s code.
        on_real, on_fake = discriminator(_noisy(real, noise)), discriminator(_noisy(fake, noise))
        loss = self.loss.discriminator(on_real, on_fake, *targets)
        values = {"discriminator_loss": loss.detach(), **_opinions(on_real, on_fake, settings.loss)}
        if settings.gradient_penalty and turn % settings.penalty_every == 0:
            penalty = gradient_penalty(self.discriminator.logits, real, fake)
            loss = loss + settings.penalty_every * settings.gradient_penalty * penalty
        self.optimizers["discriminator"].zero_grad()
        backward(loss)
        self.optimizers["discriminator"].step()
        return values

    def _turn(self, progress: float, index: int) -> int:
        """Which update of the discriminator this is, counted from the start of the training."""
        return round(progress * self.settings.steps) * self.settings.discriminator_steps + index


def _uniform(like: Tensor, low: float, high: float) -> Tensor:
    """N targets between low and high."""
    return low + (high - low) * torch.rand(len(like), device=like.device)


def _noisy(images: Tensor, deviation: float) -> Tensor:
    return images + deviation * torch.randn_like(images) if deviation else images


def _opinions(on_real: Tensor, on_fake: Tensor, loss: str) -> dict[str, Tensor]:
    """D(x) and D(G(z)): mean probabilities; of a critic, which knows none, the mean values."""
    real, fake = on_real.detach().float(), on_fake.detach().float()
    if loss == "bce":
        real, fake = real.sigmoid(), fake.sigmoid()
    return {"d_real": real.mean(), "d_fake": fake.mean()}
