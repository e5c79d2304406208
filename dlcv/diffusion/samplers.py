"""From noise to images with a noise predictor: DDPM (Ho et al. 2020) and DDIM (Song et al. 2021).

Symbols are the papers': x0 the image, eps its noise, a = alpha_bar at this time and a_next at the next one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from dlcv.diffusion.config import Spacing, Target
from dlcv.diffusion.schedule import Schedule, eps_from_velocity, eps_from_x0, x0_from_eps
from dlcv.runtime.errors import UserError

Predictor = Callable[[Tensor, Tensor], Tensor]
"""The noise in x, N x C x H x W, at the times t, int64 N."""

Watch = Callable[[int, Tensor, Tensor], None]
"""Called after each step with the time that is reached (-1: the end), x there, and the x0 that led to it."""


def spaced(spacing: Spacing, steps: int, timesteps: int) -> list[int]:
    """The times that a sampler visits, from the noisiest to the last before the image.

    Args:
        spacing: "uniform", 0, T/S, 2T/S … as in the DDIM paper; "uniform+1", the same one later, as the course has it
            (1, 21 … 981); "trailing", T - 1 down in steps of T/S, which begins where the noise does (Lin et al.
            2024); "quad", denser towards the image, up to 0.8 T (the DDIM paper, for CIFAR-10), with the times
            that coincide taken once, so that there may be fewer than `steps`.
        steps: S, 1 to T.
        timesteps: T of the schedule.

    Raises:
        UserError: more steps than the schedule has, or than fit.
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
    """Each time with the one that follows, from the list itself: t - T/S would be wrong for uneven spacings."""
    return zip(times, [*times[1:], -1], strict=True)


@torch.no_grad()
def ddim(
    predict: Predictor,
    x: Tensor,  # noise, N x C x H x W; it is not changed
    schedule: Schedule,
    times: Sequence[int],  # of `spaced`
    eta: float = 0.0,  # 0 draws no noise at all, 1 is DDPM with the posterior's variance
    *,
    clip_x0: bool = False,  # to [-1, 1]
    rederive: bool = False,  # the noise from the clipped x0; diffusers keeps the predicted one unless it is told to
    draw: Callable[[Tensor], Tensor] = torch.randn_like,  # fresh noise like x
    watch: Watch | None = None,
) -> Tensor:
    """Images N x C x H x W in about [-1, 1], by equation 12 of Song et al. with sigma of equation 16."""
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
    x: Tensor,  # noise, N x C x H x W; it is not changed
    schedule: Schedule,
    times: Sequence[int] | None = None,  # None: all of them
    variance: Literal["posterior", "beta"] = "posterior",  # the two choices of Ho et al., section 3.2
    *,
    clip_x0: bool = False,
    draw: Callable[[Tensor], Tensor] = torch.randn_like,
    watch: Watch | None = None,
) -> Tensor:
    """Images as `ddim`, by ancestral sampling: the mean and variance of q(x_next | x, x0), equations 6 and 7.

    Over fewer times, beta is that of the whole stretch between two of them; with the variance "beta" this is the row
    sigma-hat in the DDIM paper's Table 1.
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


def noise_predictor(network: Callable[[Tensor, Tensor], Tensor], schedule: Schedule, target: Target) -> Predictor:
    """The noise predictor that a network is whose output is the noise itself, the velocity or the image."""
    if target == "noise":
        return network
    eps_from = eps_from_velocity if target == "velocity" else eps_from_x0
    return lambda x, t: eps_from(x, network(x, t), schedule.alpha_bar_of(t))


class PerImage:
    """Fresh noise for each image from a generator of its own, so that none depends on the others of its batch.

    Args:
        seeds: of the images of a batch, in order.
    """

    def __init__(self, seeds: Sequence[int]):
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def __call__(self, like: Tensor) -> Tensor:
        noise = torch.stack([torch.randn(like.shape[1:], generator=generator) for generator in self.generators])
        return noise.to(like)
