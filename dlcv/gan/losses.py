"""What discriminators and generators minimise, as pure functions of logits."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class Loss(NamedTuple):
    """A pair of losses; logits are N each, the result is a scalar."""

    discriminator: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]  # real, fake; targets of real, of fake
    generator: Callable[[Tensor], Tensor]  # fake


def bce_discriminator(real: Tensor, fake: Tensor, real_targets: Tensor, fake_targets: Tensor) -> Tensor:
    """Binary cross-entropy (Goodfellow et al. 2014), as a sum over the two kinds.

    Targets may lie outside [0, 1], as report 000's noisy labels do. The loss is linear in them, so
    noise around a label leaves its expectation as it was: what it changes is the gradient's noise.
    """
    return F.binary_cross_entropy_with_logits(real, real_targets) + F.binary_cross_entropy_with_logits(
        fake, fake_targets
    )


def bce_generator(fake: Tensor) -> Tensor:
    """The non-saturating form: -log D(G(z)), not log(1 - D(G(z)))."""
    return F.binary_cross_entropy_with_logits(fake, torch.ones_like(fake))


def hinge_discriminator(real: Tensor, fake: Tensor, real_targets: Tensor, fake_targets: Tensor) -> Tensor:
    """Hinge loss (Lim and Ye 2017; Miyato et al. 2018); a target is the weight between the two hinges."""

    def side(logits: Tensor, targets: Tensor) -> Tensor:
        return (targets * F.relu(1 - logits) + (1 - targets) * F.relu(1 + logits)).mean()

    return side(real, real_targets) + side(fake, fake_targets)


def critic_discriminator(real: Tensor, fake: Tensor, real_targets: Tensor, fake_targets: Tensor) -> Tensor:
    """The negative of the Wasserstein distance's estimate (Arjovsky et al. 2017); a target weighs as in hinge."""

    def side(logits: Tensor, targets: Tensor) -> Tensor:
        return ((1 - 2 * targets) * logits).mean()

    return side(real, real_targets) + side(fake, fake_targets)


def critic_generator(fake: Tensor) -> Tensor:
    """The generator's half of hinge and Wasserstein losses."""
    return -fake.mean()


LOSSES = {
    "bce": Loss(bce_discriminator, bce_generator),
    "hinge": Loss(hinge_discriminator, critic_generator),
    "wasserstein": Loss(critic_discriminator, critic_generator),
}


def gradient_penalty(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> Tensor:
    """Mean of (|gradient| - 1)^2 at points between real and fake images (Gulrajani et al. 2017).

    Args:
        critic: images to logits; it must not mix the images of a batch.
        real, fake: images, N x C x H x W; computed in fp32 whatever the precision around.
    """
    share = torch.rand(len(real), 1, 1, 1, device=real.device)
    between = torch.lerp(fake.detach().float(), real.float(), share).requires_grad_()
    with torch.autocast(real.device.type, enabled=False):
        (gradient,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    # Flattened first: the norm is that of an image's whole gradient, not of one pixel column.
    penalty: Tensor = (gradient.flatten(1).norm(dim=1) - 1).square().mean()
    return penalty
