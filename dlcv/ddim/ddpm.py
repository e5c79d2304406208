"""The training step of DDPM (Ho et al. 2020, algorithm 1)."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from dlcv.data.batches import mirrored
from dlcv.ddim.sections import Training
from dlcv.diffusion.schedule import Schedule, min_snr_weights, noised, output_of
from dlcv.engine.loop import scheduler


class DDPM:
    """Updates of a network that is to find the noise (or the velocity) in images at any time of the schedule."""

    def __init__(self, network: nn.Module, schedule: Schedule, training: Training):
        self.schedule = schedule
        self.training = training
        self.weights = min_snr_weights(schedule, training.min_snr, training.target)
        self.networks: dict[str, nn.Module] = {"network": network}
        optimizer = torch.optim.Adam(network.parameters(), lr=training.learning_rate)
        self.optimizers: dict[str, Optimizer] = {"network": optimizer}
        self.schedulers: list[LRScheduler] = [scheduler(training.schedule, optimizer, training.steps)]

    def step(
        self, batch: tuple[Tensor, Tensor], progress: float, backward: Callable[[Tensor], None]
    ) -> dict[str, Tensor]:
        """One gradient step on the (weighted) mean squared error; see `dlcv.engine.loop.Method`."""
        network, optimizer = self.networks["network"], self.optimizers["network"]
        x0, _ = batch
        if self.training.flip:
            x0 = mirrored(x0)
        t = torch.randint(self.schedule.timesteps, (len(x0),), device=x0.device)
        eps = torch.randn_like(x0)
        a = self.schedule.alpha_bar_of(t)
        self.weights = self.weights.to(t.device)

        wanted = output_of(self.training.target, x0, eps, a)
        errors = F.mse_loss(network(noised(x0, eps, a), t), wanted, reduction="none")
        loss = (errors.mean(dim=(1, 2, 3)) * self.weights[t]).mean()
        optimizer.zero_grad()
        backward(loss)
        norm = nn.utils.clip_grad_norm_(network.parameters(), self.training.gradient_clip)
        optimizer.step()
        return {"loss": loss.detach(), "gradient_norm": norm}
