"""The step, observed from outside: inputs, outputs, and the weights that change."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from dlcv.vae.networks import Autoencoder
from dlcv.vae.step import VAE
from tests.vae.conftest import LATENT, NARROW, training


def method(width: float = NARROW, latent: int = LATENT, **changes: Any) -> VAE:
    torch.manual_seed(0)
    made = VAE(Autoencoder(width, latent), training(**{"flip": False, **changes}))
    made.networks["network"].train()
    return made


def batch(count: int = 4) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(count, 3, 64, 64, generator=generator) * 2 - 1, torch.zeros(count)


def watched(made: VAE) -> list[tuple[Tensor, Tensor, Tensor, Tensor, Tensor]]:
    """A list that collects images, noise, reconstructions, means and log-variances of each forward pass."""
    seen: list[Any] = []
    made.networks["network"].register_forward_hook(
        lambda module, inputs, outputs: seen.append(tuple(value.detach().clone() for value in (*inputs, *outputs)))
    )
    return seen


def step(made: VAE, images: tuple[Tensor, Tensor] | None = None) -> dict[str, Tensor]:
    return made.step(images or batch(), 0.0, torch.Tensor.backward)


def test_a_step_at_full_width_moves_every_weight() -> None:
    made = method(width=1.0, latent=512)
    network = made.networks["network"]
    before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    values = step(made, batch(2))
    assert set(values) == {"loss", "reconstruction", "kl"}
    assert all(value.isfinite() and value.dim() == 0 and not value.requires_grad for value in values.values())
    moved = {name for name, parameter in network.named_parameters() if not torch.equal(parameter, before[name])}
    # BatchNorm cancels the bias of the convolution before it; only rounding changes that bias.
    biases = {name for name in before if name.endswith(".0.bias") and not name.startswith("final")}
    assert set(before) - biases <= moved


def test_the_loss_is_the_mean_error_plus_the_weighted_divergence() -> None:
    for weight in (0.0, 1e-5, 0.5):
        values = step(method(kl_weight=weight))
        assert float(values["loss"]) == pytest.approx(float(values["reconstruction"] + weight * values["kl"]))
    # With the error summed over an image the weight is 12,288 times as large.
    values = step(method(kl_weight=1e-5))
    assert 12288 * float(values["loss"]) == pytest.approx(
        12288 * float(values["reconstruction"]) + 0.12288 * float(values["kl"]), rel=1e-5
    )


def test_both_terms_are_means_over_the_images_of_the_batch() -> None:
    made, images = method(), batch()[0]
    seen = watched(made)
    values = step(made)
    shown, noise, reconstructions, mean, log_variance = seen[0]
    assert torch.equal(shown, images) and noise.shape == (4, LATENT)
    assert float(values["reconstruction"]) == pytest.approx(float((reconstructions - images).square().mean()))
    terms = (mean.square() + log_variance.exp() - 1 - log_variance) / 2
    assert float(values["kl"]) == pytest.approx(float(terms.sum() / 4), rel=1e-5)


def test_noise_is_standard_normal_and_new_in_every_step() -> None:
    made = method(latent=512)
    seen = watched(made)
    step(made), step(made)
    first, second = (shown[1] for shown in seen)
    assert not torch.equal(first, second)
    assert abs(float(first.mean())) < 0.1 and abs(float(first.std()) - 1) < 0.1


def test_about_half_of_the_images_are_mirrored_with_their_targets() -> None:
    made, (images, labels) = method(flip=True), batch(64)
    seen = watched(made)
    values = step(made, (images, labels))
    shown, _, reconstructions, _, _ = seen[0]
    mirrored = sum(torch.equal(a, b.flip(2)) for a, b in zip(shown, images, strict=True))
    same = sum(torch.equal(a, b) for a, b in zip(shown, images, strict=True))
    assert mirrored + same == 64 and 16 < mirrored < 48
    assert float(values["reconstruction"]) == pytest.approx(float((reconstructions - shown).square().mean()))


@pytest.mark.slow
def test_it_learns_a_batch_and_a_large_weight_empties_the_latent() -> None:
    # Different smooth images; noise cannot be learned in so few steps.
    coarse = torch.rand(8, 3, 2, 2, generator=torch.Generator().manual_seed(1)) * 2 - 1
    images = torch.nn.functional.interpolate(coarse, (64, 64), mode="bilinear")
    results = {}
    for weight in (1e-5, 1.0):
        made = method(width=1 / 8, learning_rate=0.005, schedule="constant", kl_weight=weight)
        history = [step(made, (images, torch.zeros(8))) for _ in range(60)]
        results[weight] = history[-1]
        assert float(history[-1]["loss"]) < 0.7 * float(history[0]["loss"])
    assert float(results[1e-5]["reconstruction"]) < 0.85 * float(results[1.0]["reconstruction"])
    assert float(results[1.0]["kl"]) < 0.2 < 2 < float(results[1e-5]["kl"])
