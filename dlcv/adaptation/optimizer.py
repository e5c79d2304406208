"""The optimizer of every method, so that a comparison compares the methods alone."""

from __future__ import annotations

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from dlcv.adaptation.sections import Training
from dlcv.training import scheduler


def adamw(network: nn.Module, training: Training) -> tuple[Optimizer, LRScheduler]:
    """AdamW with rate, schedule and weight decay of `adaptation.training`."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=training.learning_rate, weight_decay=training.weight_decay)
    return optimizer, scheduler(training.schedule, optimizer, training.steps)
