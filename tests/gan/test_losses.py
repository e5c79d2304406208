"""Losses against closed forms."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from dlcv.gan.losses import LOSSES, gradient_penalty

REAL, FAKE = torch.tensor([0.3, -1.2, 2.5, 40.0]), torch.tensor([-0.7, 0.1, 1.5, -90.0])
ONES, ZEROS = torch.ones(4), torch.zeros(4)


def test_bce_equals_sigmoid_and_bce_loss_as_the_reports_have_it() -> None:
    discriminator, generator, probability = LOSSES["bce"]
    assert probability
    real, fake = REAL[:3].double(), FAKE[:3].double()
    expected = F.binary_cross_entropy(real.sigmoid(), torch.ones_like(real))
    expected += F.binary_cross_entropy(fake.sigmoid(), torch.zeros_like(fake))
    assert discriminator(real, fake, ONES[:3].double(), ZEROS[:3].double()).item() == pytest.approx(expected.item())
    # The non-saturating generator: -log D(G(z)).
    assert generator(fake).item() == pytest.approx(-fake.sigmoid().log().mean().item())
    assert generator(torch.tensor([-90.0])).item() == pytest.approx(90)  # BCELoss would clip it at 100


def test_bce_is_linear_in_labels_outside_0_and_1() -> None:
    discriminator = LOSSES["bce"].discriminator
    real_labels, fake_labels = torch.tensor([1.1, 0.9, 1.23, 0.8]), torch.tensor([0.1, -0.2, 0.25, 0.0])
    # log(1 + e^x) - t x for the label t.
    expected = (F.softplus(REAL) - real_labels * REAL).mean() + (F.softplus(FAKE) - fake_labels * FAKE).mean()
    assert discriminator(REAL, FAKE, real_labels, fake_labels).item() == pytest.approx(expected.item())
    nothing = LOSSES["bce"].discriminator(torch.zeros(2), torch.zeros(2), torch.ones(2), torch.zeros(2))
    assert nothing.item() == pytest.approx(2 * math.log(2))


def test_hinge() -> None:
    discriminator, generator, probability = LOSSES["hinge"]
    assert not probability
    # Real: relu(1 - x) is .7, 2.2, 0, 0. Fake: relu(1 + x) is .3, 1.1, 2.5, 0.
    assert discriminator(REAL, FAKE, ONES, ZEROS).item() == pytest.approx(2.9 / 4 + 3.9 / 4)
    assert generator(FAKE).item() == pytest.approx(-FAKE.mean().item())


def test_wasserstein() -> None:
    discriminator, generator, probability = LOSSES["wasserstein"]
    assert not probability
    assert discriminator(REAL, FAKE, ONES, ZEROS).item() == pytest.approx((FAKE.mean() - REAL.mean()).item())
    assert generator(FAKE).item() == pytest.approx(-FAKE.mean().item())


@pytest.mark.parametrize("name", LOSSES)
def test_swapped_labels_equal_swapped_images(name: str) -> None:
    discriminator = LOSSES[name].discriminator
    swapped = discriminator(REAL, FAKE, ZEROS, ONES)
    assert swapped.item() == pytest.approx(discriminator(FAKE, REAL, ONES, ZEROS).item())
    assert swapped.item() != pytest.approx(discriminator(REAL, FAKE, ONES, ZEROS).item())


@pytest.mark.parametrize("name", LOSSES)
def test_the_gradients_have_the_signs_of_the_game(name: str) -> None:
    real, fake = torch.zeros(3, requires_grad=True), torch.zeros(3, requires_grad=True)
    LOSSES[name].discriminator(real, fake, torch.ones(3), torch.zeros(3)).backward()
    assert real.grad is not None and fake.grad is not None
    assert (real.grad < 0).all() and (fake.grad > 0).all()
    fake.grad = None
    LOSSES[name].generator(fake).backward()
    assert fake.grad is not None and (fake.grad < 0).all()


def linear(weight: Tensor) -> Tensor:
    """The penalty of the critic <weight, x> at random images."""
    real, fake = torch.randn(5, *weight.shape), torch.randn(5, *weight.shape)
    return gradient_penalty(lambda x: x.flatten(1) @ weight.flatten(), real, fake)


def test_the_penalty_of_a_linear_critic_depends_on_the_norm_of_its_weights() -> None:
    torch.manual_seed(0)
    # (sqrt(192) - 1)^2; a norm over the channels alone would give (sqrt(3) - 1)^2 = .5359.
    assert linear(torch.ones(3, 8, 8)).item() == pytest.approx(165.2872, abs=1e-4)
    weight = torch.randn(3, 64, 64) / 50
    assert linear(weight).item() == pytest.approx((weight.norm().item() - 1) ** 2, rel=1e-4)
    assert linear(torch.full((3, 8, 8), 192**-0.5)).item() == pytest.approx(0, abs=1e-8)


def test_the_penalty_is_fp32_under_autocast_and_finite_at_a_zero_gradient() -> None:
    torch.manual_seed(0)
    weight = torch.randn(3, 8, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        penalty = linear(weight)
    assert penalty.dtype == torch.float32
    assert penalty.item() == pytest.approx((weight.norm().item() - 1) ** 2, rel=1e-6)
    flat = torch.zeros(3, 8, 8, requires_grad=True)
    penalty = linear(flat)
    penalty.backward()
    assert penalty.item() == 1 and flat.grad is not None and flat.grad.isfinite().all()


def test_the_penalty_draws_a_position_between_real_and_fake_for_each_image() -> None:
    torch.manual_seed(0)
    seen = []

    def critic(x: Tensor) -> Tensor:
        seen.append(x.detach())
        return x.flatten(1).sum(1)

    gradient_penalty(critic, torch.ones(200, 3, 4, 4), torch.zeros(200, 3, 4, 4))
    shares = seen[0].flatten(1)
    assert torch.equal(shares, shares[:, :1].expand_as(shares))
    assert shares.min() < 0.05 and shares.max() > 0.95 and len(shares[:, 0].unique()) > 190


def test_the_penalty_has_a_gradient_with_respect_to_the_critic() -> None:
    """That of (|w| - 1)^2: 2 (|w| - 1) w / |w|."""
    weight = torch.randn(3, 8, 8, requires_grad=True)
    linear(weight).backward()
    norm = weight.detach().norm()
    assert weight.grad is not None
    assert torch.allclose(weight.grad, 2 * (norm - 1) * weight.detach() / norm, atol=1e-4)
