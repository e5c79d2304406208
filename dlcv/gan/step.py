"""The adversarial training step (Goodfellow et al. 2014).

The discriminator learns to tell real images from generated ones; the generator learns to make images that the
discriminator takes for real. What differs between the models is in params.yaml.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from dlcv.data.batches import mirrored
from dlcv.engine.optimizers import descend, make_optimizer
from dlcv.gan.augment import augmented
from dlcv.gan.config import Settings
from dlcv.gan.losses import LOSSES, gradient_penalty
from dlcv.gan.networks import LATENT, Discriminator, Generator


class GAN:
    """Updates from batches of `discriminator_steps` times `batch_size` real images."""

    def __init__(self, generator: Generator, discriminator: Discriminator, settings: Settings):
        self.settings = settings
        self.loss = LOSSES[settings.loss]
        self.critic = discriminator.logits  # never in autocast
        self.networks: dict[str, nn.Module] = {"generator": generator, "discriminator": discriminator}
        self.optimizers: dict[str, Optimizer] = {}
        self.schedulers: list[LRScheduler] = []
        learning_rates = (settings.generator_learning_rate, settings.discriminator_learning_rate)
        for (name, network), learning_rate in zip(self.networks.items(), learning_rates, strict=True):
            self.optimizers[name], scheduler = make_optimizer(
                settings.optimizer,
                network.parameters(),
                learning_rate=learning_rate,
                steps=settings.steps,
                schedule=settings.schedule,
                betas=(settings.betas[0], settings.betas[1]),
                weight_decay=settings.weight_decay,
            )
            self.schedulers.append(scheduler)

    def step(
        self, batch: tuple[Tensor, Tensor], progress: float, backward: Callable[[Tensor], None]
    ) -> dict[str, Tensor]:
        """`discriminator_steps` updates of the discriminator, then one of the generator."""
        settings = self.settings
        generator, discriminator = self.networks["generator"], self.networks["discriminator"]
        images, _ = batch
        if settings.flip:
            images = mirrored(images)
        noise_std = settings.image_noise_std * (1 - progress)
        # Updates of the discriminator since the start of the training.
        updates = round(progress * settings.steps) * settings.discriminator_steps

        for update, real in enumerate(images.tensor_split(settings.discriminator_steps), start=updates):
            fake = generator(torch.randn(len(real), LATENT, device=real.device))
            values = self._update_discriminator(real, fake.detach(), noise_std, update, backward)

        # The generator's loss needs a gradient through the discriminator, but none of its weights.
        discriminator.requires_grad_(False)
        loss = self.loss.generator(discriminator(_noisy(augmented(fake, settings.augment), noise_std)))
        descend(self.optimizers["generator"], loss, backward)
        discriminator.requires_grad_(True)
        # Standard deviation over the images of a batch: 0 if the generator has collapsed to one image.
        return {"generator_loss": loss.detach(), **values, "diversity": fake.detach().std(0).mean()}

    def _update_discriminator(
        self, real: Tensor, fake: Tensor, noise_std: float, update: int, backward: Callable[[Tensor], None]
    ) -> dict[str, Tensor]:
        settings = self.settings
        discriminator = self.networks["discriminator"]
        real, fake = augmented(real, settings.augment), augmented(fake, settings.augment)
        real_labels, fake_labels = _uniform(real, *settings.real_labels), _uniform(fake, *settings.fake_labels)
        if settings.swap_labels:
            swap = torch.rand((), device=real.device) < settings.swap_labels
            real_labels, fake_labels = (
                torch.where(swap, fake_labels, real_labels),
                torch.where(swap, real_labels, fake_labels),
            )
        # Two passes: BatchNorm normalises real and fake images apart, as in the code of Radford et al.
        on_real, on_fake = discriminator(_noisy(real, noise_std)), discriminator(_noisy(fake, noise_std))
        loss = self.loss.discriminator(on_real, on_fake, real_labels, fake_labels)
        values = {"discriminator_loss": loss.detach(), **self._outputs(on_real, on_fake)}
        if settings.gradient_penalty and update % settings.gradient_penalty_every == 0:
            weight = settings.gradient_penalty_every * settings.gradient_penalty
            loss = loss + weight * gradient_penalty(self.critic, real, fake)
        descend(self.optimizers["discriminator"], loss, backward)
        return values

    def _outputs(self, on_real: Tensor, on_fake: Tensor) -> dict[str, Tensor]:
        """D(x) and D(G(z)): mean probabilities, or mean logits if the loss knows no probabilities."""
        real, fake = on_real.detach().float(), on_fake.detach().float()
        if self.loss.probability:
            real, fake = real.sigmoid(), fake.sigmoid()
        return {"d_real": real.mean(), "d_fake": fake.mean()}


def _uniform(images: Tensor, low: float, high: float) -> Tensor:
    """A label in [low, high] for each of the N images."""
    return low + (high - low) * torch.rand(len(images), device=images.device)


def _noisy(images: Tensor, std: float) -> Tensor:
    return images + std * torch.randn_like(images) if std else images
