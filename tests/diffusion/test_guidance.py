"""Guidance: the convention of w, the exact conditional prediction, skipped steps, and network evaluations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dlcv.diffusion.config import Prediction
from dlcv.diffusion.guidance import Guided, guide
from dlcv.diffusion.networks.conditioning import NONE
from dlcv.diffusion.samplers import ddim, ddpm, spaced
from dlcv.diffusion.schedule import linear
from tests.diffusion.conftest import MODELS, digit_network
from tests.diffusion.test_samplers import gaussian, moments

pytestmark = pytest.mark.slow  # whole trainings, samplings or evaluations

LABELS = torch.tensor([3, 0, 9])


def test_w_is_that_of_ho_and_salimans_and_other_scales_are_1_plus_w() -> None:
    conditional, unconditional = torch.randn(2, 2, 3, 4, 4, dtype=torch.float64)
    for w in (0.5, 1.8, 2.0, 4.0):
        # Other code has a scale s = 1 + w: lerp(u, c, 3) is w = 2.
        assert torch.allclose(guide(conditional, unconditional, w), torch.lerp(unconditional, conditional, 1 + w))
    assert torch.equal(guide(conditional, unconditional, 0.0), conditional)
    assert torch.equal(guide(conditional, unconditional, -1.0), unconditional)


@pytest.mark.parametrize("model", MODELS)
def test_w_0_is_exactly_the_conditional_prediction_and_no_class_the_unconditional_one(model: str) -> None:
    made, schedule = digit_network(model), linear(MODELS[model][1], 1e-4, 0.02)
    x, t = torch.randn(3, 3, 28, 28), torch.tensor([50, 50, 50])
    none = torch.full_like(LABELS, NONE)
    with torch.no_grad():
        conditional, unconditional = made(x, t, LABELS), made(x, t, none)
        assert torch.equal(Guided(made, schedule, "noise", LABELS, w=0.0)(x, t), conditional)
        # Without a class the prediction is the unconditional one, with and without guidance.
        assert torch.equal(Guided(made, schedule, "noise", none, w=0.0)(x, t), unconditional)
        assert torch.allclose(Guided(made, schedule, "noise", none, w=3.0)(x, t), unconditional, atol=1e-4)
        guided = Guided(made, schedule, "noise", LABELS, w=2.0)(x, t)
    # Both predictions are computed in one batch.
    assert torch.allclose(guided, 3 * conditional - 2 * unconditional, atol=1e-4)
    assert (guided - conditional).abs().max() > 1e-4


class Counting(nn.Module):
    """Records the batch size of each call."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []

    def forward(self, x: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        self.batches.append(len(x))
        return x * 0 + labels.view(-1, 1, 1, 1)


def predictions(guided: Guided, calls: int = 200) -> list[Tensor]:
    x = torch.zeros(3, 3, 4, 4)
    return [guided(x, torch.full((3,), 10)) for _ in range(calls)]


def test_evaluations_are_counted_for_each_image() -> None:
    schedule = linear(100, 1e-4, 0.02)
    for w, skip, expected in ((0.0, 0.0, 200), (2.0, 0.0, 400), (2.0, 1.0, 200), (0.0, 0.5, 200)):
        made = Counting()
        guided = Guided(made, schedule, "noise", LABELS, w, skip)
        predictions(guided)
        assert guided.evaluations == expected == sum(made.batches) / 3


def test_skipped_steps_are_conditional_and_the_same_in_every_batch() -> None:
    """Report 001 skips the unconditional prediction in some of the steps, to save time."""
    schedule = linear(100, 1e-4, 0.02)
    made = Counting()
    guided = Guided(made, schedule, "noise", LABELS, 2.0, 0.25, seed=4)
    predicted = predictions(guided)
    skipped = [batch == 3 for batch in made.batches]
    assert sum(skipped) == 50 and guided.evaluations == 400 - sum(skipped)
    conditional, both = LABELS.float(), 3.0 * LABELS + 2
    for prediction, alone in zip(predicted, skipped, strict=True):
        assert torch.equal(prediction[:, 0, 0, 0], conditional if alone else both)
    again, other = Counting(), Counting()
    predictions(Guided(again, schedule, "noise", LABELS, 2.0, 0.25, seed=4))
    predictions(Guided(other, schedule, "noise", LABELS, 2.0, 0.25, seed=5))
    assert again.batches == made.batches != other.batches


@pytest.mark.parametrize("skip", [0.25, 0.5, 0.75, 0.3])
def test_the_fraction_of_skipped_steps_holds_in_few_steps(skip: float) -> None:
    """And each step is skipped equally often over the seeds."""
    schedule, steps = linear(100, 1e-4, 0.02), 20
    counts = np.zeros(steps)
    for seed in range(200):
        made = Counting()
        predictions(Guided(made, schedule, "noise", LABELS, 2.0, skip, seed), steps)
        skipped = np.array(made.batches) == 3
        assert skipped.sum() == pytest.approx(skip * steps, abs=1e-6)
        counts += skipped
    assert np.abs(counts / 200 - skip).max() < 4 * (skip * (1 - skip) / 200) ** 0.5


class Gaussians(nn.Module):
    """The optimal network for images of class k from N(k / 10, 0.5^2), which predicts noise, velocity or x0."""

    def __init__(self, schedule: Any, prediction: str) -> None:
        super().__init__()
        self.schedule, self.prediction = schedule, prediction

    def forward(self, x: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        eps = gaussian(labels.view(-1, 1, 1, 1).double() / 10, 0.5, self.schedule)(x, t)
        if self.prediction == "noise":
            return eps
        a = self.schedule.alpha_bar_of(t).to(x.dtype)
        velocity: Tensor = (eps - (1 - a).sqrt() * x) / a.sqrt()
        x0: Tensor = (x - (1 - a).sqrt() * eps) / a.sqrt()
        return velocity if self.prediction == "velocity" else x0


@pytest.mark.parametrize("prediction", ["noise", "velocity", "x0"])
@pytest.mark.parametrize(("steps", "std"), [(10, 0.3741), (50, 0.4724)])
def test_a_class_that_is_a_gaussian_has_the_exact_moments(prediction: Any, steps: int, std: float) -> None:
    schedule = linear(1000, 1e-4, 0.02)
    times = spaced("uniform", steps, 1000)

    def sample(x: Tensor, draw: Any) -> Tensor:
        # The moments come from a batch of impulses, all of the class 3.
        labels = torch.full((len(x),), 3)
        guided = Guided(Gaussians(schedule, prediction), schedule, prediction, labels, 0.0)
        return ddim(guided, x, schedule, times, draw=draw)

    mean, deviation = moments(sample, steps)
    assert deviation == pytest.approx(std, abs=6e-5) and 0.2981 <= mean <= 0.3001


def test_guidance_is_the_same_for_noise_velocity_and_x0() -> None:
    schedule = linear(1000, 1e-4, 0.02)
    x, t = torch.randn(3, 3, 4, 4, dtype=torch.float64), torch.tensor([20, 500, 990])
    every: tuple[Prediction, ...] = ("noise", "velocity", "x0")
    noise, velocity, x0 = (
        Guided(Gaussians(schedule, prediction), schedule, prediction, LABELS, 2.0)(x, t) for prediction in every
    )
    assert torch.allclose(noise, velocity, atol=1e-9) and torch.allclose(noise, x0, atol=1e-9)


@pytest.mark.parametrize(("timesteps", "beta_end"), [(400, 0.02), (1000, 0.02), (200, 0.1)])
def test_ancestral_sampling_over_all_times_has_nearly_the_moments_of_the_class(timesteps: int, beta_end: float) -> None:
    """The schedules of all reports; with 400 steps 13 % of the image remains in the noise, which changes little."""
    schedule = linear(timesteps, 1e-4 if beta_end == 0.02 else 5e-4, beta_end)
    labels = torch.full((timesteps + 2,), 3)

    def sample(x: Tensor, draw: Any) -> Tensor:
        guided = Guided(Gaussians(schedule, "noise"), schedule, "noise", labels[: len(x)], 0.0)
        return ddpm(guided, x, schedule, variance="beta", draw=draw)

    mean, deviation = moments(sample, timesteps)
    assert mean == pytest.approx(0.3, abs=0.003) and deviation == pytest.approx(0.5, abs=0.03)
