"""The training step of a noise predictor: algorithm 1 of Ho et al. 2020, and of Ho and Salimans 2022 with labels.

In the papers times are uniform, the network predicts the noise, and all times have the same weight. Two of the other
choices help a narrow network: it has too few channels to predict the noise, and it learns the class sooner where image
and noise are about equally strong, since that is where the class is decided.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from dlcv.diffusion.config import Training
from dlcv.diffusion.schedule import Schedule, min_snr_weights, noised, output_of
from dlcv.engine.optimizers import descend, make_optimizer

Prepare = Callable[[Tensor, Tensor], tuple[Tensor, ...]]
"""From images and labels of a batch to the images, and the labels where the network takes them."""


class Denoising:
    """Trains a network to predict noise, velocity or x0 from noised images; see `dlcv.engine.loop.Method`.

    Args:
        network: takes noised images, times and, if `prepare` returns them, labels.
        prepare: augments the images and drops labels.
        density: the probability of each time, float32 T; uniform if not given.
        optimizer: a key of `dlcv.engine.optimizers.OPTIMIZERS`.
    """

    def __init__(
        self,
        network: nn.Module,
        schedule: Schedule,
        training: Training,
        prepare: Prepare,
        *,
        density: Tensor | None = None,
        optimizer: str = "adam",
        weight_decay: float = 0.0,
    ):
        self.schedule = schedule
        self.training = training
        self.prepare = prepare
        self.density = density
        self.weights = min_snr_weights(schedule, training.min_snr_gamma, training.prediction)
        made, scheduler = make_optimizer(
            optimizer,
            network.parameters(),
            learning_rate=training.learning_rate,
            steps=training.steps,
            schedule=training.schedule,
            weight_decay=weight_decay,
        )
        self.networks: dict[str, nn.Module] = {"network": network}
        self.optimizers: dict[str, Optimizer] = {"network": made}
        self.schedulers: list[LRScheduler] = [scheduler]

    def step(
        self, batch: tuple[Tensor, Tensor], progress: float, backward: Callable[[Tensor], None]
    ) -> dict[str, Tensor]:
        """One gradient step on the weighted mean squared error of the prediction."""
        network = self.networks["network"]
        x0, *labels = self.prepare(*batch)
        # A copy in the first step only: every copy from the host makes the device wait.
        self.schedule, self.weights = self.schedule.to(x0.device), self.weights.to(x0.device)
        t = self._times(len(x0), x0.device)
        eps = torch.randn_like(x0)
        a = self.schedule.alpha_bar_of(t)

        target = output_of(self.training.prediction, x0, eps, a)
        predicted = network(noised(x0, eps, a), t, *labels)
        errors = F.mse_loss(predicted, target, reduction="none").mean(dim=(1, 2, 3))
        loss = (self.weights[t] * errors).mean()
        clip = (network, self.training.gradient_clip)
        norm = descend(self.optimizers["network"], loss, backward, clip=clip)
        assert norm is not None
        return {"loss": loss.detach(), "error": errors.detach().mean(), "gradient_norm": norm}

    def _times(self, count: int, device: torch.device) -> Tensor:
        """Random times, int64 N from 0 to T - 1."""
        if self.density is None:
            return torch.randint(self.schedule.timesteps, (count,), device=device)
        self.density = self.density.to(device)
        return torch.multinomial(self.density, count, replacement=True)
