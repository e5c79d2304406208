"""The training step of a conditional diffusion model: algorithm 1 of Ho and Salimans 2022.

With uniform times, no weights and the noise as target it is what the reports train by. The other choices make a network
hear of the class sooner: which digit it is gets decided where noise and image are about equally strong, and that is
where the squared error of the noise teaches least.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from dlcv.diffusion.config import Times, Training
from dlcv.diffusion.networks.conditioning import NONE
from dlcv.diffusion.schedule import Schedule, min_snr_weights, noised, output_of
from dlcv.engine.loop import scheduler


class Conditional:
    """Updates of a network that finds the noise, velocity or image in noised images whose class it mostly knows."""

    def __init__(self, network: nn.Module, schedule: Schedule, training: Training):
        self.schedule = schedule
        self.training = training
        self.networks: dict[str, nn.Module] = {"network": network}
        kind = torch.optim.AdamW if training.optimizer == "adamw" else torch.optim.Adam
        optimizer = kind(network.parameters(), lr=training.learning_rate, weight_decay=training.weight_decay)
        self.optimizers: dict[str, Optimizer] = {"network": optimizer}
        self.schedulers: list[LRScheduler] = [scheduler(training.schedule, optimizer, training.steps)]
        self.density = density(training.times, schedule)
        self.weights = min_snr_weights(schedule, training.min_snr, training.target)

    def step(
        self, batch: tuple[Tensor, Tensor], progress: float, backward: Callable[[Tensor], None]
    ) -> dict[str, Tensor]:
        """One gradient step on the weighted mean squared error; see `dlcv.engine.loop.Method`."""
        network, optimizer, training = self.networks["network"], self.optimizers["network"], self.training
        x0, labels = batch
        self.density, self.weights = self.density.to(x0.device), self.weights.to(x0.device)
        labels = drop_labels(labels, training.label_drop, whole_batch=training.drop == "batch")
        t = torch.multinomial(self.density, len(x0), replacement=True)
        eps = torch.randn_like(x0)
        a = self.schedule.alpha_bar_of(t)

        wanted = output_of(training.target, x0, eps, a)
        errors = F.mse_loss(network(noised(x0, eps, a), t, labels), wanted, reduction="none").mean(dim=(1, 2, 3))
        loss = (self.weights[t] * errors).mean()
        optimizer.zero_grad()
        backward(loss)
        norm = nn.utils.clip_grad_norm_(network.parameters(), training.gradient_clip or math.inf)
        optimizer.step()
        return {"loss": loss.detach(), "error": errors.detach().mean(), "gradient_norm": norm}


def drop_labels(labels: Tensor, share: float, whole_batch: bool) -> Tensor:
    """Labels, int64 N, with a random `share` of them `NONE`.

    Args:
        whole_batch: all or none of them (reports 001 and 004), else each by itself (000 and 003).
    """
    drawn = torch.rand(1 if whole_batch else len(labels), device=labels.device)
    return torch.where(drawn < share, torch.full_like(labels, NONE), labels)


def log_snr(schedule: Schedule) -> Tensor:
    """log(a / (1 - a)) of every time, float64 T, falling."""
    a = schedule.alpha_bars
    return (a / (1 - a)).log()


def density(times: Times, schedule: Schedule) -> Tensor:
    """How likely each time is to be trained on; float32 T, with the sum 1."""
    if times.density == "uniform":
        return torch.full((schedule.timesteps,), 1 / schedule.timesteps)
    at = log_snr(schedule)
    # A density over log-SNR is one over times after a change of variables.
    width = -torch.gradient(at)[0]
    likely = torch.exp(-0.5 * ((at - times.mean) / times.std) ** 2) * width
    return (likely / likely.sum()).float()
