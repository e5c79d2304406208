"""The average of a network's weights, and BatchNorm statistics that belong to it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


class EMA:
    """Exponential moving average of a network's parameters, used in place of the last ones.

    Buffers (BatchNorm's running statistics, the vectors of spectral norm) are copied, not averaged: they are estimates
    already, and an average of unit vectors is no unit vector.

    Args:
        network: the network in training.
        decay: in [0, 1); 0 copies the network.
    """

    def __init__(self, network: nn.Module, decay: float):
        self.decay = decay
        self.network = copy.deepcopy(network).requires_grad_(False)

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Take in the parameters after `step` (from 1). The decay rises over the first steps, so that the average
        forgets the initial weights."""
        decay = min(self.decay, step / (step + 10))
        averaged: list[torch.Tensor] = list(self.network.parameters())
        current = [parameter.detach() for parameter in network.parameters()]
        torch._foreach_lerp_(averaged, current, 1 - decay)
        for buffer, value in zip(self.network.buffers(), network.buffers(), strict=True):
            buffer.copy_(value)


def batch_norms(network: nn.Module) -> list[nn.modules.batchnorm._BatchNorm]:
    """Every BatchNorm in `network`."""
    return [part for part in network.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]


def use_batch_statistics(network: nn.Module) -> None:
    """Put `network` in eval mode, except BatchNorm, which normalises by the statistics of each batch."""
    network.eval()
    for norm in batch_norms(network):
        norm.train()


@contextmanager
def recalibrated(network: nn.Module) -> Iterator[None]:
    """Replace BatchNorm's running statistics by the mean over the batches that pass through `network` inside.

    The running ones were collected while the weights changed, and an average of weights has none of its own. The
    network is in eval mode afterwards.
    """
    for norm in batch_norms(network):
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over all batches
    use_batch_statistics(network)
    with torch.no_grad():
        yield
    network.eval()
