"""Noise schedules of diffusion models (Ho et al. 2020), and the conversions between what one step knows.

Step t = 0 … T - 1 turns an image x0 in [-1, 1] into x_t = sqrt(a) x0 + sqrt(1 - a) eps, where eps is standard normal
noise and a = alpha_bar(t). At t = -1, where sampling ends, a is 1 and x_t the image itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from dlcv.diffusion.config import Target


@dataclass(frozen=True)
class Schedule:
    """A schedule of T steps in float64: float32 loses digits of 1 - a where a is close to 1.

    Attributes:
        betas: T, the share of variance that each step adds.
        alpha_bars: T, the running product of 1 - beta.
    """

    betas: Tensor
    alpha_bars: Tensor

    @property
    def timesteps(self) -> int:
        """T."""
        return len(self.betas)

    def alpha_bar(self, t: int) -> float:
        """a after step `t`, 1 for t = -1."""
        return 1.0 if t == -1 else float(self.alpha_bars[t])

    def alpha_bar_of(self, t: Tensor) -> Tensor:
        """a of the steps `t`, int64 N from 0 on; float64 N x 1 x 1 x 1 on the device of `t`."""
        return self.alpha_bars.to(t.device)[t].view(-1, 1, 1, 1)


def linear(timesteps: int, beta_start: float, beta_end: float) -> Schedule:
    """Betas rising evenly from `beta_start` to `beta_end`; 1e-4 to 0.02 over 1,000 steps in Ho et al."""
    betas = torch.linspace(beta_start, beta_end, timesteps, dtype=torch.float64)
    return Schedule(betas, (1 - betas).cumprod(0))


# In all of these `a` is alpha_bar, a number or a float64 tensor that broadcasts against the images.


def noised(x0: Tensor, eps: Tensor, a: float | Tensor) -> Tensor:
    """x_t of an image and its noise."""
    signal, noise = _roots(a, x0)
    return signal * x0 + noise * eps


def x0_from_eps(x: Tensor, eps: Tensor, a: float | Tensor) -> Tensor:
    """The image that x_t is made of if `eps` is its noise."""
    signal, noise = _roots(a, x)
    return (x - noise * eps) / signal


def eps_from_x0(x: Tensor, x0: Tensor, a: float | Tensor) -> Tensor:
    """The noise that x_t is made of if `x0` is its image; a below 1."""
    signal, noise = _roots(a, x)
    return (x - signal * x0) / noise


def velocity(x0: Tensor, eps: Tensor, a: float | Tensor) -> Tensor:
    """v = sqrt(a) eps - sqrt(1 - a) x0 (Salimans and Ho 2022): of about unit size at every step."""
    signal, noise = _roots(a, x0)
    return signal * eps - noise * x0


def eps_from_velocity(x: Tensor, v: Tensor, a: float | Tensor) -> Tensor:
    """The noise that x_t is made of if `v` is its velocity."""
    signal, noise = _roots(a, x)
    return noise * x + signal * v


def output_of(target: Target, x0: Tensor, eps: Tensor, a: float | Tensor) -> Tensor:
    """What a network that gives the `target` is to give for x_t of this image and noise."""
    if target == "noise":
        return eps
    return velocity(x0, eps, a) if target == "velocity" else x0


def min_snr_weights(schedule: Schedule, gamma: float, target: Target) -> Tensor:
    """The weight of each time's squared error, float32 T: min-SNR-gamma of Hang et al. 2023, SNR being a / (1 - a).

    The squared error of the image is to count min(SNR, gamma) times: where there is little but noise it cannot be
    found, and its error would drown the others. That of the noise is SNR times the image's, that of the velocity
    SNR + 1 times.

    Args:
        gamma: 5 in the paper; 0 gives ones.
    """
    if gamma == 0:
        return torch.ones(schedule.timesteps)
    snr = schedule.alpha_bars / (1 - schedule.alpha_bars)
    times = {"noise": snr, "velocity": snr + 1, "image": torch.ones_like(snr)}[target]
    return (snr.clamp(max=gamma) / times).float()


def _roots(a: float | Tensor, like: Tensor) -> tuple[float | Tensor, float | Tensor]:
    """sqrt(a) and sqrt(1 - a), drawn in float64; tensors in the precision of `like`."""
    if isinstance(a, Tensor):
        return a.sqrt().to(like.dtype), (1 - a).sqrt().to(like.dtype)
    return math.sqrt(a), math.sqrt(1 - a)
