"""The noise schedule (Ho et al. 2020), conversions between image, noise and velocity, and weights of the time steps.

At the time steps t = 0 … T - 1 an image x0 in [-1, 1] becomes x_t = sqrt(a) x0 + sqrt(1 - a) eps, where eps is standard
normal noise and a = alpha_bar(t). At t = -1, where sampling ends, a is 1 and x_t is the image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from dlcv.diffusion.config import Prediction


@dataclass(frozen=True)
class Schedule:
    """A schedule of T time steps in float64: float32 loses digits of 1 - a where a is close to 1.

    Attributes:
        betas: T, the variance that each step adds.
        alpha_bars: T, the cumulative product of 1 - beta.
    """

    betas: Tensor
    alpha_bars: Tensor

    def to(self, device: torch.device) -> Schedule:
        """The schedule on `device`; itself if it is there."""
        return self if self.betas.device == device else Schedule(self.betas.to(device), self.alpha_bars.to(device))

    @property
    def timesteps(self) -> int:
        """T."""
        return len(self.betas)

    def alpha_bar(self, t: int) -> float:
        """a at the time `t`; 1 at t = -1."""
        return 1.0 if t == -1 else float(self.alpha_bars[t])

    def alpha_bar_of(self, t: Tensor) -> Tensor:
        """a at the times `t`, int64 N, from 0 on; float64 N x 1 x 1 x 1, on the device of `t` and the schedule."""
        return self.alpha_bars[t].view(-1, 1, 1, 1)


def linear(timesteps: int, beta_start: float, beta_end: float) -> Schedule:
    """Betas that rise linearly from `beta_start` to `beta_end`; 1e-4 to 0.02 over 1,000 steps in Ho et al."""
    betas = torch.linspace(beta_start, beta_end, timesteps, dtype=torch.float64)
    return Schedule(betas, (1 - betas).cumprod(0))


# In all of these `a` is alpha_bar, a number or a float64 tensor that broadcasts against the images.


def noised(x0: Tensor, eps: Tensor, a: float | Tensor) -> Tensor:
    """x_t of an image and noise."""
    signal, noise = _roots(a, x0)
    return signal * x0 + noise * eps


def x0_from_eps(x: Tensor, eps: Tensor, a: float | Tensor) -> Tensor:
    """The image in x_t whose noise is `eps`."""
    signal, noise = _roots(a, x)
    return (x - noise * eps) / signal


def eps_from_x0(x: Tensor, x0: Tensor, a: float | Tensor) -> Tensor:
    """The noise in x_t whose image is `x0`; a has to be below 1."""
    signal, noise = _roots(a, x)
    return (x - signal * x0) / noise


def velocity(x0: Tensor, eps: Tensor, a: float | Tensor) -> Tensor:
    """v = sqrt(a) eps - sqrt(1 - a) x0 (Salimans and Ho 2022), whose scale is about 1 at every time."""
    signal, noise = _roots(a, x0)
    return signal * eps - noise * x0


def eps_from_velocity(x: Tensor, v: Tensor, a: float | Tensor) -> Tensor:
    """The noise in x_t whose velocity is `v`."""
    signal, noise = _roots(a, x)
    return noise * x + signal * v


def output_of(prediction: Prediction, x0: Tensor, eps: Tensor, a: float | Tensor) -> Tensor:
    """The target of a network that predicts the `prediction`, for x_t of this image and noise."""
    if prediction == "noise":
        return eps
    return velocity(x0, eps, a) if prediction == "velocity" else x0


def min_snr_weights(schedule: Schedule, gamma: float, prediction: Prediction) -> Tensor:
    """The weight of the squared error at each time, float32 T: min-SNR-gamma of Hang et al. 2023, with SNR a / (1 - a).

    The squared error of x0 gets the weight min(SNR, gamma). The squared error of the noise is SNR times that of x0, and
    the squared error of the velocity SNR + 1 times, so these are divided by it.

    Args:
        gamma: 5 in the paper; 0 for equal weights of 1.
    """
    if gamma == 0:
        return torch.ones(schedule.timesteps)
    snr = schedule.alpha_bars / (1 - schedule.alpha_bars)
    factor = {"noise": snr, "velocity": snr + 1, "x0": torch.ones_like(snr)}[prediction]
    return (snr.clamp(max=gamma) / factor).float()


def log_snr(schedule: Schedule) -> Tensor:
    """log(a / (1 - a)) at every time, float64 T, falling."""
    a = schedule.alpha_bars
    return (a / (1 - a)).log()


def log_snr_density(schedule: Schedule, mean: float, std: float) -> Tensor:
    """The probability of each time where log-SNR is normally distributed; float32 T, with the sum 1."""
    at = log_snr(schedule)
    width = -torch.gradient(at)[0]  # the change of variables from log-SNR to times
    density = torch.exp(-0.5 * ((at - mean) / std) ** 2) * width
    return (density / density.sum()).float()


def _roots(a: float | Tensor, like: Tensor) -> tuple[float | Tensor, float | Tensor]:
    """sqrt(a) and sqrt(1 - a), computed in float64; tensors are returned in the precision of `like`."""
    if isinstance(a, Tensor):
        return a.sqrt().to(like.dtype), (1 - a).sqrt().to(like.dtype)
    return math.sqrt(a), math.sqrt(1 - a)
