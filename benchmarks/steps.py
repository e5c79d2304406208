"""Time and memory of a training step of every training that params.yaml implies, on the GPU where there is one.

    dlcv profile full && python benchmarks/steps.py [STEPS]

Each training is set up by its own stage, with its networks, batches, precision and data, and stopped after STEPS steps.
Prints one line for each: milliseconds per step (median, without the first tenth), the hours of the whole training at
that rate, the largest memory, and how often a step waits for the GPU (copies to the host, reads of single values).
"""

from __future__ import annotations

import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

os.environ["DLCV_TRACKING"] = "off"

import torch
from accelerate.state import AcceleratorState

from dlcv.adaptation import train as adaptation
from dlcv.adaptation.trainings import trainings
from dlcv.diffusion import train_digits, train_faces
from dlcv.diffusion.config import Diffusion
from dlcv.engine import training
from dlcv.engine.loop import to_device
from dlcv.evaluation.judge import train as judge
from dlcv.gan import train as gan
from dlcv.gan.config import Gan
from dlcv.runtime.config import Params, load
from dlcv.vae import train as vae


class Timed(Exception):
    """Raised in place of the end of a training."""


def stages(params: Params) -> Iterator[tuple[str, Callable[[], object]]]:
    """The name of every training, once for a method, and a call that runs it."""
    yield "judge", lambda: judge.run(params)
    for model in params[Gan].models:
        yield model, lambda model=model: gan.run(model, params)  # type: ignore[misc]
    yield "vae", lambda: vae.run(params)
    yield "ddim", lambda: train_faces.run(params)
    for model in params[Diffusion].models:
        yield model, lambda model=model: train_digits.run(model, params)  # type: ignore[misc]
    for method, tasks in trainings(params).items():
        if tasks:
            yield f"{method} {tasks[0].name}", lambda task=tasks[0]: adaptation.run(task, params)  # type: ignore[misc]


def measure(name: str, run: Callable[[], object], count: int) -> None:
    """Run `count` steps of a training and print what they took."""

    def timed(method: Any, batches: Any, *, accelerator: Any, steps: int, **_: Any) -> None:
        device = accelerator.device
        for networks in (method.networks, method.optimizers):
            for key, value in networks.items():
                networks[key] = accelerator.prepare(value)
        batches.to(device)
        seconds, waits = [], 0
        for step in range(count):
            batch = to_device(next(batches), device)
            last = step == count - 1
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                if last and device.type == "cuda":
                    torch.cuda.set_sync_debug_mode("warn")
                began = clock(device)
                method.step(batch, step / steps, accelerator.backward)
                for schedule in method.schedulers:
                    schedule.step()
                if last and device.type == "cuda":
                    torch.cuda.set_sync_debug_mode("default")
                seconds.append(clock(device) - began)
            waits += sum("synchroniz" in str(warning.message) for warning in caught)
        median = statistics.median(seconds[count // 10 : -1])
        memory = torch.cuda.max_memory_allocated() / 2**30 if device.type == "cuda" else float("nan")
        hours = median * steps / 3600
        print(
            f"{name:32} {1000 * median:9.2f} ms  {hours:8.2f} h of {steps:7,} steps  {memory:6.2f} GiB  {waits:3} waits"
        )
        raise Timed

    AcceleratorState._reset_state(reset_partial_state=True)  # the next training may have another precision
    training.train = timed  # type: ignore[assignment,attr-defined]
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    try:
        run()
    except Timed:
        pass
    except torch.cuda.OutOfMemoryError as error:
        print(f"{name:32} out of memory: {' '.join(str(error).split())[:120]}")


def clock(device: torch.device) -> float:
    """Seconds, once the device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


if __name__ == "__main__":
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    only = sys.argv[2:]
    where = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    print(f"{where}, torch {torch.__version__}, {torch.get_num_threads()} threads, {number} steps each")
    for title, call in stages(load()):
        if not only or title.split()[0] in only:
            measure(title, call, number)
