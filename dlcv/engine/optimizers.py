"""Optimizers, schedules of the learning rate, and one optimizer step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn import Parameter
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler


def constant(step: int, steps: int) -> float:
    """The peak learning rate at every step."""
    return 1.0


def cosine(step: int, steps: int) -> float:
    """A linear warm-up over a tenth of the steps, then cosine decay to 0."""
    warm_up = max(1, steps // 10)
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))


def restarts(step: int, steps: int) -> float:
    """Cosine annealing with warm restarts (Loshchilov and Hutter 2017), as in report 003.

    Four cycles, each twice as long as the previous one: `CosineAnnealingWarmRestarts(T_0=2, T_mult=2)` over 30 epochs.
    """
    start, length = 0.0, steps / 15
    while step >= start + length and start + length < steps:
        start, length = start + length, 2 * length
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - start) / length)))


# Functions of (step, number of steps): the factor on the peak learning rate.
SCHEDULES: dict[str, Callable[[int, int], float]] = {"constant": constant, "cosine": cosine, "restarts": restarts}

OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


def make_optimizer(
    name: str,
    parameters: Iterable[Parameter],
    *,
    learning_rate: float,
    steps: int,
    schedule: str | Callable[[int, int], float] = "constant",
    betas: tuple[float, float] = (0.9, 0.999),
    weight_decay: float = 0.0,
) -> tuple[Optimizer, LRScheduler]:
    """An optimizer and the schedule of its learning rate.

    Args:
        name: a key of `OPTIMIZERS`.
        learning_rate: the peak.
        steps: of the whole training.
        schedule: a key of `SCHEDULES`, or a function like those.
    """
    # Fused: one loop over the parameters, and no square root by MKL, whose bits differ between CPUs.
    optimizer = OPTIMIZERS[name](parameters, lr=learning_rate, betas=betas, weight_decay=weight_decay, fused=True)
    factor = SCHEDULES[schedule] if isinstance(schedule, str) else schedule
    return optimizer, LambdaLR(optimizer, lambda step: factor(step, steps))


def descend(
    optimizer: Optimizer,
    loss: Tensor,
    backward: Callable[[Tensor], None],
    *,
    clip: tuple[nn.Module, float] | None = None,
) -> Tensor | None:
    """One optimizer step that descends the gradient of `loss`.

    Args:
        backward: called in place of `loss.backward()`, see `dlcv.engine.loop.Method`.
        clip: a network and the maximum norm of its gradient; a maximum of 0 clips nothing.

    Returns:
        The norm of the gradient before clipping; None without `clip`. In fp16 it is 0 where the gradient overflows: the
        scaler of the loss then leaves this step out and continues with a smaller factor.
    """
    optimizer.zero_grad()
    backward(loss)
    norm = None
    if clip is not None:
        network, maximum = clip
        scaler = getattr(optimizer, "scaler", None)  # of accelerate's optimizer, in fp16
        if scaler is not None:
            scaler.unscale_(optimizer.optimizer)  # type: ignore[attr-defined]
        norm = nn.utils.clip_grad_norm_(network.parameters(), maximum or math.inf)
        if scaler is not None:
            norm = torch.where(norm.isfinite(), norm, 0.0)
    optimizer.step()
    return norm
