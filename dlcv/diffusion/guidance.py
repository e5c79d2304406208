"""Classifier-free guidance (Ho and Salimans 2022), in one convention.

The scale is the paper's w: (1 + w) conditional - w unconditional, so 0 is the conditional prediction alone. Other code
has a scale s in unconditional + s (conditional - unconditional); s is 1 + w.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dlcv.diffusion.config import Prediction
from dlcv.diffusion.networks.conditioning import NONE
from dlcv.diffusion.samplers import noise_predictor
from dlcv.diffusion.schedule import Schedule


def guide(conditional: Tensor, unconditional: Tensor, w: float) -> Tensor:
    """The guided prediction from the conditional and the unconditional one; all N x C x H x W.

    The factors add up to 1, so the result is the same for noise, velocity and x0.
    """
    return (1 + w) * conditional - w * unconditional


class Guided:
    """A `dlcv.diffusion.samplers.Predictor` of the noise in images with given labels.

    The conditional and the unconditional prediction are computed in one batch.

    Args:
        network: takes images, times and labels.
        labels: int64 N, of the images of every call.
        w: 0 or more; at 0 there is no unconditional prediction.
        skip: fraction of the steps without the unconditional prediction, which saves time in report 001. There each
            step is skipped with this probability; here the steps are drawn systematically, so that the fraction holds
            in few steps too and each step still has this probability.
        seed: of the first of these steps. All batches of a set have the same seed, so they skip the same steps and no
            image depends on its batch.

    Attributes:
        evaluations: of the network for each image, so far.
    """

    def __init__(
        self,
        network: nn.Module,
        schedule: Schedule,
        prediction: Prediction,
        labels: Tensor,
        w: float,
        skip: float = 0.0,
        seed: int = 0,
    ):
        self.network = network
        self.predict = noise_predictor(self._guided, schedule, prediction, labels.device)
        self.labels = labels
        self.both = torch.cat([labels, torch.full_like(labels, NONE)])
        self.w = w
        self.skip = skip
        self.due = torch.rand((), generator=torch.Generator().manual_seed(seed)).item()  # a step is skipped at 1
        self.evaluations = 0

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        """The noise in x, N x C x H x W, at the times t, int64 N."""
        return self.predict(x, t)

    def _guided(self, x: Tensor, t: Tensor) -> Tensor:
        self.due += self.skip
        skipped = self.due >= 1
        self.due %= 1
        if self.w == 0 or skipped:
            self.evaluations += 1
            conditional: Tensor = self.network(x, t, self.labels)
            return conditional
        self.evaluations += 2
        conditional, unconditional = self.network(torch.cat([x, x]), torch.cat([t, t]), self.both).chunk(2)
        return guide(conditional, unconditional, self.w)
