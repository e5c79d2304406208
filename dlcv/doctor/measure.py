"""What a training costs here: counted FLOPs, memory, and the time of a few of its steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from accelerate.state import AcceleratorState
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from dlcv.doctor.jobs import Job
from dlcv.engine.arithmetic import compile_mode, compile_networks, make_accelerator
from dlcv.engine.loop import to_device

PATIENCE = 2.0  # seconds for the timed steps of a training; a step that is too long is measured with a smaller batch
SMALL = 4  # images of the first step
ROUNDS = 4  # steps that are timed: a penalty may come in every fourth
COPIES = 4  # of a weight: itself, its gradient, two moments of Adam


@dataclass(frozen=True)
class Cost:
    """What a training costs.

    Attributes:
        flops: of one step, forward and backward.
        seconds: of one step.
        bytes: weights, gradients, optimizer and average, and what the step keeps for its backward pass; on a GPU the
            peak of the allocator.
        measured: images in the batch that was measured; `extrapolated` says what follows for all.
    """

    flops: float
    seconds: float
    bytes: float
    measured: int


def cost(job: Job) -> Cost:
    """Run a few steps of `job` with random images."""
    AcceleratorState._reset_state(reset_partial_state=True)  # the job before may have another precision
    # Without a GPU there is no fp16; bf16 has the same FLOPs and bytes.
    precision = "bf16" if job.precision == "fp16" and not torch.cuda.is_available() else job.precision
    accelerator = make_accelerator(precision)
    device = accelerator.device
    torch.manual_seed(0)
    method = job.make()
    weights = sum(_bytes(network) for network in method.networks.values())
    for key, network in method.networks.items():
        network.to(memory_format=torch.channels_last)
        method.networks[key] = accelerator.prepare(network).train()
    for key, optimizer in method.optimizers.items():
        method.optimizers[key] = accelerator.prepare(optimizer)
    if mode := compile_mode(device):
        compile_networks(method.networks.values(), mode)

    def run(count: int, step: int) -> None:
        batch = to_device(job.batch(count), device)
        if mode:
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        method.step(batch, step / job.steps, accelerator.backward)
        if device.type == "cuda":
            torch.cuda.synchronize()

    def timed(images: int, steps: int) -> float:
        """Seconds of a step."""
        began = time.perf_counter()
        for step in range(steps):
            run(images, step)
        return (time.perf_counter() - began) / steps

    small = min(job.batch_size, max(SMALL, 2 * job.multiple))
    run(small, 0)  # the first step allocates what stays
    counter = FlopCounterMode(display=False)
    # Its hooks by module do not allow `autograd.grad`, which a gradient penalty needs; only the sum is wanted.
    counter.mod_tracker = Whole()  # type: ignore[assignment]
    with counter, kept() as peak:
        counted = timed(small, 1)
    flops = counter.get_total_flops() * job.batch_size / small
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        run(job.batch_size, 0)  # a GPU is not slower with more images, until it is full
        seconds = timed(job.batch_size, ROUNDS)
        return Cost(flops, seconds, float(torch.cuda.max_memory_allocated()), job.batch_size)
    memory = (COPIES + job.averages) * weights + peak() * job.batch_size / small
    if counted > PATIENCE:  # the time that counting takes does not matter then
        return Cost(flops, counted * job.batch_size / small, memory, small)
    once = timed(small, 1)
    affordable = max(small, int(small * PATIENCE / ROUNDS / once))
    count = min(job.batch_size, affordable - affordable % job.multiple)
    run(count, 0)
    seconds = extrapolated(job.batch_size, (count, timed(count, ROUNDS)), (small, once))
    return Cost(flops, seconds, memory, count)


def extrapolated(images: int, measured: tuple[int, float], small: tuple[int, float]) -> float:
    """The seconds of a step with `images`, from those with two smaller numbers of images.

    A part of a step takes the same time with every number of images; the rest is in proportion.
    """
    (count, seconds), (fewer, less) = measured, small
    if count == fewer:
        return seconds * images / count
    each = max(0.0, seconds - less) / (count - fewer)
    return seconds + each * (images - count)


class Whole:
    """Counts for no single module."""

    parents = ("Global",)

    def __enter__(self) -> Whole:
        return self

    def __exit__(self, *_: object) -> None:
        return None


def _bytes(network: nn.Module) -> int:
    return sum(parameter.numel() * parameter.element_size() for parameter in network.parameters())


@contextmanager
def kept() -> Iterator[Callable[[], int]]:
    """Yield a function that returns the most bytes that were kept for a backward pass at a time."""
    live: dict[int, int] = {}  # by the address of a storage: how often it is kept
    now = most = 0

    class Kept:
        def __init__(self, tensor: Tensor):
            nonlocal now, most
            storage = tensor.untyped_storage()
            self.tensor, self.place, self.size = tensor, storage.data_ptr(), storage.nbytes()
            live[self.place] = live.get(self.place, 0) + 1
            if live[self.place] == 1:
                now += self.size
                most = max(most, now)

        def __del__(self) -> None:
            nonlocal now
            live[self.place] -= 1
            if not live[self.place]:
                now -= self.size

    def pack(tensor: Tensor) -> Any:
        return Kept(tensor)

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda saved: saved.tensor):
        yield lambda: most
