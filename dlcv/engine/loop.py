"""The one training loop of every method.

A method brings networks, optimizers and a step that reads like its paper. The loop does the rest: device, precision and
processes (Hugging Face accelerate), averages of the weights, progress bar, curve, tracking, checkpoints, and the stop
at a value that is not finite.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from tqdm import tqdm

from dlcv.engine.arithmetic import compile_mode, compile_networks
from dlcv.engine.averaging import EMA
from dlcv.runtime.checkpoints import Checkpoints
from dlcv.runtime.errors import UserError
from dlcv.runtime.signals import deferred
from dlcv.runtime.tracking import Run

Row = dict[str, float]
"""One row of a curve: `step`, and the mean of each value since the previous row."""


class Method(Protocol):
    """What the loop needs of a method."""

    networks: dict[str, nn.Module]
    optimizers: dict[str, Optimizer]
    schedulers: list[LRScheduler]
    """Stepped once after every training step."""

    def step(self, batch: Any, progress: float, backward: Callable[[Tensor], None]) -> dict[str, Tensor]:
        """Update the networks once.

        Args:
            batch: the next item of the batches, on the loop's device.
            progress: fraction of the training that is done: 0 at the first step, below 1 at the last one.
            backward: to be called in place of `loss.backward()`.

        Returns:
            Scalar tensors by name, for the curve. They may stay on the device.
        """
        ...


class Batches(Protocol):
    """An endless iterator over batches whose position can be saved and restored."""

    def to(self, device: torch.device) -> None:
        """Keep on `device` what fits there."""
        ...

    def __iter__(self) -> Iterator[Any]: ...
    def __next__(self) -> Any: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: dict[str, Any]) -> None: ...


@dataclass
class Trained:
    """The result of a training."""

    networks: dict[str, nn.Module]
    """On the CPU, in eval mode; the average of each network that has one."""
    curve: list[Row]


def train(
    method: Method,
    batches: Batches,
    *,
    accelerator: Accelerator,
    name: str,  # of the training, in messages
    steps: int,
    checkpoints: Checkpoints,
    run: Run,
    ema_decay: float = 0.0,  # of the averages; 0 for none
    averaged: Collection[str] | None = None,  # the networks with an average; None for all
    snapshot_at: Collection[int] = (),  # steps after which `snapshot` is called
    snapshot: Callable[[int, Mapping[str, nn.Module]], None] = lambda step, networks: None,  # gets step and results
    watch: Callable[[list[Row]], None] = lambda curve: None,  # gets the curve after each new row
    log_every: int = 20,  # steps for each row of the curve
    checkpoint_every: int = 200,  # minimum number of steps between checkpoints, which are saved at rows of the curve
) -> Trained:
    """Train `method` for `steps` steps, starting from the newest checkpoint if there is one.

    On the CPU, a training that was killed and resumed gives the same bits as an uninterrupted one. SIGINT and SIGTERM
    end the step that runs and write a checkpoint; several processes go back to their last one.

    Raises:
        UserError: a value of a step is not finite. Earlier checkpoints are kept.
        KeyboardInterrupt: SIGINT or SIGTERM came.
    """
    networks = dict(method.networks)
    averages = {
        key: EMA(network, ema_decay)
        for key, network in networks.items()
        if ema_decay and (averaged is None or key in averaged)
    }
    results = {**networks, **{key: average.network for key, average in averages.items()}}
    for average in averages.values():
        average.network.to(accelerator.device)
    for key, network in networks.items():
        method.networks[key] = accelerator.prepare(network).train()
    for key, optimizer in method.optimizers.items():
        method.optimizers[key] = accelerator.prepare(optimizer)
    if mode := compile_mode(accelerator.device):
        compile_networks(method.networks.values(), mode)

    batches.to(accelerator.device)
    stateful: dict[str, Any] = {
        **{f"network.{key}": network for key, network in networks.items()},
        **{f"average.{key}": average.network for key, average in averages.items()},
        **{f"optimizer.{key}": optimizer for key, optimizer in method.optimizers.items()},
        **{f"schedule.{index}": schedule for index, schedule in enumerate(method.schedulers)},
        "batches": batches,
    }
    if accelerator.scaler is not None:
        stateful["scaler"] = accelerator.scaler
    start, curve = 0, []
    window: list[dict[str, Tensor]] = []  # values of the steps since the last row of the curve
    if (state := checkpoints.latest()) is not None:
        for key, owner in stateful.items():
            owner.load_state_dict(state[key])
        start, curve, window = state["step"], state["curve"], to_device(state["window"], accelerator.device)
        for row in curve:
            # A resumed run has these points already, a new run does not. The same point twice counts once.
            run.log(_values(row), int(row["step"]))
        if accelerator.is_main_process:
            print(f"{name}: continues from its checkpoint at step {start} of {steps}", file=sys.stderr)

    saved = start
    quiet = not accelerator.is_main_process or not sys.stderr.isatty()
    bar = tqdm(total=steps, initial=start, desc=name, unit="step", disable=quiet, mininterval=0.5)
    with deferred() as asked_to_stop:
        for step in range(start, steps):
            batch = to_device(next(batches), accelerator.device)
            if mode:
                torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
            window.append(method.step(batch, step / steps, accelerator.backward))
            for schedule in method.schedulers:
                schedule.step()
            for key, average in averages.items():
                average.update(networks[key], step + 1)
            done = step + 1
            if done in snapshot_at and accelerator.is_main_process:
                snapshot(done, results)
            bar.update()
            if done % log_every == 0 or done == steps:
                # Only here the loop waits for the device: one transfer for the whole window.
                row = summarise(window, done, name)
                window = []
                curve.append(row)
                run.log(_values(row), done)
                watch(curve)
                bar.set_postfix({key: f"{value:.3g}" for key, value in _values(row).items()}, refresh=False)
            stop = asked_to_stop() and done < steps
            due = not window and done >= saved + checkpoint_every and done < steps
            if due or (stop and accelerator.num_processes == 1):
                saved = done
                states = {key: owner.state_dict() for key, owner in stateful.items()}
                checkpoints.save(done, {**states, "curve": curve, "window": _detached(window)})
                accelerator.wait_for_everyone()
                if accelerator.is_main_process:
                    checkpoints.publish(done)
            if stop:
                raise KeyboardInterrupt
    bar.close()
    return Trained({key: network.cpu().eval() for key, network in results.items()}, curve)


def to_device(batch: Any, device: torch.device) -> Any:
    """Copy the tensors in (nested) tuples, lists and dicts to `device`, without waiting for the copy."""
    if isinstance(batch, Tensor):
        return batch.to(device, non_blocking=True)
    if isinstance(batch, dict):
        return {key: to_device(value, device) for key, value in batch.items()}
    if isinstance(batch, (list, tuple)):
        return type(batch)(to_device(value, device) for value in batch)
    return batch


def summarise(window: list[dict[str, Tensor]], step: int, name: str) -> Row:
    """The mean of each value over the steps of `window`, the last of which is `step`, in one transfer.

    Raises:
        UserError: a value is not finite; the message names the first such value and its step.
    """
    keys = list(window[0])
    table = torch.stack([torch.stack([values[key].detach().float() for key in keys]) for values in window]).cpu()
    bad = (~table.isfinite()).nonzero()
    if len(bad):
        index, column = bad[0].tolist()
        at = step - len(window) + index + 1
        raise UserError(
            f"{name}: {keys[column]} is {table[index, column].item()} at step {at}; "
            "lower the learning rate, or change the precision"
        )
    means = table.double().mean(0).tolist()
    return {"step": float(step), **dict(zip(keys, means, strict=True))}


def _detached(window: list[dict[str, Tensor]]) -> list[dict[str, Tensor]]:
    return [{key: value.detach() for key, value in values.items()} for values in window]


def _values(row: Row) -> Row:
    return {key: value for key, value in row.items() if key != "step"}
