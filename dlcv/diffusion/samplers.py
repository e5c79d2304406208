"""From noise to images with a noise predictor: DDPM (Ho et al. 2020) and DDIM (Song et al. 2021).

The symbols are the papers': x0 is the image, eps its noise, a is alpha_bar at this time and a_next at the next one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from dlcv.diffusion.config import DigitSampling, FaceSampling, Prediction, Spacing
from dlcv.diffusion.schedule import Schedule, eps_from_velocity, eps_from_x0, x0_from_eps
from dlcv.runtime.errors import UserError

Predictor = Callable[[Tensor, Tensor], Tensor]
"""The noise in x, N x C x H x W, at the times t, int64 N."""

Watch = Callable[[int, Tensor, Tensor], None]
"""Called after each step with the time that is reached (-1 at the end), x at this time, and the predicted x0."""


@dataclass(frozen=True)
class Model:
    """A trained network in eval mode, and what sampling needs to know about it.

    Attributes:
        about: the JSON beside its weights.
    """

    network: nn.Module
    schedule: Schedule
    prediction: Prediction
    about: dict[str, Any]

    @property
    def device(self) -> torch.device:
        return next(self.network.parameters()).device


def times_of(sampling: FaceSampling | DigitSampling, schedule: Schedule) -> list[int]:
    """The times that the sampler of these settings visits, see `spaced`."""
    return spaced(sampling.spacing, sampling.steps or schedule.timesteps, schedule.timesteps)


def spaced(spacing: Spacing, steps: int, timesteps: int) -> list[int]:
    """The times that a sampler visits, from the noisiest to the last one before the image.

    Args:
        spacing: "uniform" is 0, T/S, 2T/S … as in the DDIM paper. "uniform+1" is one later, as in the course: 1, 21 …
            981. "trailing" starts at T - 1 and descends in steps of T/S (Lin et al. 2024). "quad" starts at
            0.8 T and is denser towards the image (the DDIM paper, for CIFAR-10); it visits equal times once, so there
            may be fewer than `steps`.
        steps: S, 1 to T.
        timesteps: T of the schedule.

    Raises:
        UserError: more steps than the schedule and the spacing allow.
    """
    most = timesteps - (spacing == "uniform+1")
    if not 1 <= steps <= most:
        raise UserError(
            f"{steps} steps with the spacing {spacing}; give 1 to {most} of the {timesteps} steps in training"
        )
    if spacing == "trailing":
        return [round(timesteps - index * timesteps / steps) - 1 for index in range(steps)]
    if spacing == "quad":
        roots = np.linspace(0, math.sqrt(0.8 * timesteps), steps)
        return sorted({int(root**2) for root in roots}, reverse=True)
    offset = 1 if spacing == "uniform+1" else 0
    return [index * timesteps // steps + offset for index in reversed(range(steps))]


def pairs(times: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Each time with the next one of the list, -1 at the end."""
    return zip(times, [*times[1:], -1], strict=True)


@torch.no_grad()
def ddim(
    predict: Predictor,
    x: Tensor,  # noise, N x C x H x W, which is not modified
    schedule: Schedule,
    times: Sequence[int],  # as `spaced` returns them
    eta: float = 0.0,  # 0 adds no noise, 1 is DDPM with the posterior variance
    *,
    clip_x0: bool = False,  # to [-1, 1]
    rederive: bool = False,  # recompute the noise from the clipped x0; by default diffusers keeps the predicted noise
    draw: Callable[[Tensor], Tensor] = torch.randn_like,  # new noise like x
    watch: Watch | None = None,
) -> Tensor:
    """Images, N x C x H x W in about [-1, 1], by equation 12 of Song et al. with sigma of equation 16."""
    for t, t_next in pairs(times):
        a, a_next = schedule.alpha_bar(t), schedule.alpha_bar(t_next)
        eps = predict(x, torch.full((len(x),), t, device=x.device))
        x0 = x0_from_eps(x, eps, a)
        if clip_x0:
            x0.clamp_(-1, 1)
            if rederive:
                eps = eps_from_x0(x, x0, a)
        sigma = eta * math.sqrt((1 - a_next) / (1 - a) * (1 - a / a_next))
        x = math.sqrt(a_next) * x0 + math.sqrt(max(0.0, 1 - a_next - sigma**2)) * eps
        if sigma:
            x += sigma * draw(x)
        if watch is not None:
            watch(t_next, x, x0)
    return x


@torch.no_grad()
def ddpm(
    predict: Predictor,
    x: Tensor,  # noise, N x C x H x W, which is not modified
    schedule: Schedule,
    times: Sequence[int] | None = None,  # all T if None
    variance: Literal["posterior", "beta"] = "posterior",  # the two choices of Ho et al., section 3.2
    *,
    clip_x0: bool = False,
    draw: Callable[[Tensor], Tensor] = torch.randn_like,
    watch: Watch | None = None,
) -> Tensor:
    """Images as of `ddim`, by ancestral sampling: the mean and variance of q(x_next | x, x0), equations 6 and 7.

    With fewer times than T, beta is the variance added between two successive times. The variance "beta" is then the
    row sigma-hat of Table 1 in the DDIM paper.
    """
    for t, t_next in pairs(range(schedule.timesteps)[::-1] if times is None else times):
        a, a_next = schedule.alpha_bar(t), schedule.alpha_bar(t_next)
        beta = 1 - a / a_next
        x0 = x0_from_eps(x, predict(x, torch.full((len(x),), t, device=x.device)), a)
        if clip_x0:
            x0.clamp_(-1, 1)
        x = (math.sqrt(a_next) * beta * x0 + math.sqrt(a / a_next) * (1 - a_next) * x) / (1 - a)
        if t_next >= 0:
            x += math.sqrt(beta * (1 - a_next) / (1 - a) if variance == "posterior" else beta) * draw(x)
        if watch is not None:
            watch(t_next, x, x0)
    return x


def noise_predictor(
    network: Callable[[Tensor, Tensor], Tensor], schedule: Schedule, prediction: Prediction, device: torch.device
) -> Predictor:
    """A noise predictor on `device` from a network that predicts the noise, the velocity or x0."""
    if prediction == "noise":
        return network
    eps_from = eps_from_velocity if prediction == "velocity" else eps_from_x0
    there = schedule.to(device)  # once: every copy makes the device wait
    return lambda x, t: eps_from(x, network(x, t), there.alpha_bar_of(t))


class PerImage:
    """New noise for each image from its own generator, so that no image depends on the others in its batch.

    Args:
        seeds: of the images of a batch, in order.
        device: where the noise is drawn. A GPU draws other numbers than the CPU.
    """

    def __init__(self, seeds: Sequence[int], device: torch.device):
        self.generators = [torch.Generator(device).manual_seed(seed) for seed in seeds]

    def __call__(self, like: Tensor) -> Tensor:
        noise = [torch.randn(like.shape[1:], generator=each, device=each.device) for each in self.generators]
        return torch.stack(noise).to(like)
