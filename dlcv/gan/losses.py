"""The losses of discriminator and generator, as pure functions of logits."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class Loss(NamedTuple):
    """The losses of both networks. Logits and labels have the shape N; a loss is a scalar."""

    discriminator: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]  # real and fake logits, real and fake labels
    generator: Callable[[Tensor], Tensor]  # fake logits
    probability: bool = False  # whether the sigmoid of a logit is the probability that an image is real


def bce_discriminator(real: Tensor, fake: Tensor, real_labels: Tensor, fake_labels: Tensor) -> Tensor:
    """Binary cross-entropy (Goodfellow et al. 2014), the sum of the means over real and over fake images.

    Labels may lie outside [0, 1], as report 000's noisy labels do. The loss is linear in the labels: noise on them
    changes the variance of the gradient and not its mean.
    """
    return F.binary_cross_entropy_with_logits(real, real_labels) + F.binary_cross_entropy_with_logits(fake, fake_labels)


def bce_generator(fake: Tensor) -> Tensor:
    """The non-saturating form: -log D(G(z)), not log(1 - D(G(z)))."""
    return F.binary_cross_entropy_with_logits(fake, torch.ones_like(fake))


def hinge_discriminator(real: Tensor, fake: Tensor, real_labels: Tensor, fake_labels: Tensor) -> Tensor:
    """Hinge loss (Lim and Ye 2017; Miyato et al. 2018). A label is the weight between the hinges of real and fake."""

    def hinge(logits: Tensor, labels: Tensor) -> Tensor:
        return (labels * F.relu(1 - logits) + (1 - labels) * F.relu(1 + logits)).mean()

    return hinge(real, real_labels) + hinge(fake, fake_labels)


def wasserstein_discriminator(real: Tensor, fake: Tensor, real_labels: Tensor, fake_labels: Tensor) -> Tensor:
    """The negative estimate of the Wasserstein distance (Arjovsky et al. 2017). Labels are weights as for hinge."""

    def mean(logits: Tensor, labels: Tensor) -> Tensor:
        return ((1 - 2 * labels) * logits).mean()

    return mean(real, real_labels) + mean(fake, fake_labels)


def critic_generator(fake: Tensor) -> Tensor:
    """The generator's loss beside the hinge and the Wasserstein loss."""
    return -fake.mean()


LOSSES: dict[str, Loss] = {
    "bce": Loss(bce_discriminator, bce_generator, probability=True),
    "hinge": Loss(hinge_discriminator, critic_generator),
    "wasserstein": Loss(wasserstein_discriminator, critic_generator),
}


def gradient_penalty(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> Tensor:
    """Mean of (|gradient| - 1)^2 at random points between real and fake images (Gulrajani et al. 2017), in fp32.

    Args:
        critic: images to logits; the logit of an image must not depend on the other images of the batch.
        real, fake: images, N x C x H x W.
    """
    position = torch.rand(len(real), 1, 1, 1, device=real.device)
    between = torch.lerp(fake.detach().float(), real.float(), position).requires_grad_()
    with torch.autocast(real.device.type, enabled=False):
        (gradient,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    # The norm of an image's whole gradient, over channels and pixels.
    penalty: Tensor = (gradient.flatten(1).norm(dim=1) - 1).square().mean()
    return penalty
