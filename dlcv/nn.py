"""What the networks of several areas share."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


class EMA:
    """Exponential moving average of a network's parameters, used in place of the last ones.

    Buffers (BatchNorm's running statistics, spectral norm's vectors) are copied, not averaged: they
    are estimates already, and an average of unit vectors is no unit vector.

    Args:
        network: the network in training.
        decay: weight of the past for each step, in [0, 1); 0 copies the network.
    """

    def __init__(self, network: nn.Module, decay: float):
        self.decay = decay
        self.network = copy.deepcopy(network).requires_grad_(False)

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Take in the parameters after `step` (from 1); a warm-up keeps the random start out."""
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
    """Put `network` in eval mode but for BatchNorm, which then takes each batch as it is."""
    network.eval()
    for norm in batch_norms(network):
        norm.train()


@contextmanager
def new_statistics(network: nn.Module) -> Iterator[None]:
    """Give BatchNorm the mean statistics of what passes through `network` within, and leave it in eval mode.

    The running ones belong to the weights in training, not to their average, and to the pictures that those saw.
    """
    for norm in batch_norms(network):
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over all batches
    use_batch_statistics(network)
    with torch.no_grad():
        yield
    network.eval()
