"""Classifier-free guidance (Ho and Salimans 2022), in one convention.

The scale is the paper's w: (1 + w) conditional - w unconditional, so 0 is the conditional network alone. What other
code calls a scale s, with unconditional + s (conditional - unconditional), is s = 1 + w.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dlcv.diffusion.config import Target
from dlcv.diffusion.networks.conditioning import NONE
from dlcv.diffusion.samplers import noise_predictor
from dlcv.diffusion.schedule import Schedule


def guide(conditional: Tensor, unconditional: Tensor, w: float) -> Tensor:
    """What is predicted for a class, pushed away from what is predicted without one; all N x C x H x W.

    The factors add up to 1, so it is the same of noises, velocities and images.
    """
    return (1 + w) * conditional - w * unconditional


class Guided:
    """The noise predictor of some images whose digits are given; `dlcv.diffusion.samplers.Predictor`.

    The conditional and the unconditional half go through the network in one batch.

    Args:
        network: takes images, times and labels.
        labels: int64 N, of the images that it will be called with.
        w: 0 or more; at 0 there is no unconditional half.
        skip: chance of a step to leave the unconditional half out, as report 001 does to save time.
        seed: of those chances. A generator of its own, so that every batch of a set skips in the same steps and no
            image depends on its batch.

    Attributes:
        evaluations: of the network so far, for each image.
    """

    def __init__(
        self,
        network: nn.Module,
        schedule: Schedule,
        target: Target,
        labels: Tensor,
        w: float,
        skip: float = 0.0,
        seed: int = 0,
    ):
        self.network = network
        self.schedule = schedule
        self.target = target
        self.labels = labels
        self.both = torch.cat([labels, torch.full_like(labels, NONE)])
        self.w = w
        self.skip = skip
        self.generator = torch.Generator().manual_seed(seed)
        self.evaluations = 0

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        """The noise in images x, N x C x H x W, at the times t, int64 N."""
        return noise_predictor(self._output, self.schedule, self.target)(x, t)

    def _output(self, x: Tensor, t: Tensor) -> Tensor:
        skipped = self.skip > 0 and torch.rand((), generator=self.generator).item() < self.skip
        if self.w == 0 or skipped:
            self.evaluations += 1
            alone: Tensor = self.network(x, t, self.labels)
            return alone
        self.evaluations += 2
        conditional, unconditional = self.network(torch.cat([x, x]), torch.cat([t, t]), self.both).chunk(2)
        return guide(conditional, unconditional, self.w)
