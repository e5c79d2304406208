"""Averages of a network's weights, and BatchNorm statistics that fit them."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


class EMA:
    """Exponential moving average of a network's parameters.

    Buffers are copied, not averaged: BatchNorm's running statistics are averages already, and an average of unit
    vectors (spectral norm) is not a unit vector.

    Args:
        network: the network in training.
        decay: in [0, 1); 0 copies the network.
    """

    def __init__(self, network: nn.Module, decay: float):
        self.decay = decay
        self.network = copy.deepcopy(network).requires_grad_(False)

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Update the average with the parameters after step `step`, counted from 1.

        The decay grows over the first steps, so that the initial weights do not dominate the average.
        """
        decay = min(self.decay, step / (step + 10))
        averaged: list[torch.Tensor] = list(self.network.parameters())
        current = [parameter.detach() for parameter in network.parameters()]
        torch._foreach_lerp_(averaged, current, 1 - decay)
        for buffer, value in zip(self.network.buffers(), network.buffers(), strict=True):
            buffer.copy_(value)


def batch_norms(network: nn.Module) -> list[nn.modules.batchnorm._BatchNorm]:
    """All BatchNorm layers in `network`."""
    return [layer for layer in network.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)]


def use_batch_statistics(network: nn.Module) -> None:
    """Set `network` to eval mode, but let BatchNorm normalise with the statistics of each batch."""
    network.eval()
    for norm in batch_norms(network):
        norm.train()


@contextmanager
def recalibrated(network: nn.Module) -> Iterator[None]:
    """Recompute BatchNorm's running statistics: the mean over all batches that pass through `network` inside.

    The old statistics were collected while the weights changed, and averaged weights have no statistics of their own.
    Afterwards the network is in eval mode.
    """
    for norm in batch_norms(network):
        norm.reset_running_stats()
        norm.momentum = None  # an equal weight for each batch
    use_batch_statistics(network)
    with torch.no_grad():
        yield
    network.eval()
