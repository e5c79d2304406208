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
from collections.abc import Callable

os.environ["DLCV_TRACKING"] = "off"

import torch
from trainings import set_up, stages

from dlcv.engine.loop import to_device
from dlcv.runtime.config import load


def measure(name: str, run: Callable[[], object], count: int) -> None:
    """Run `count` steps of a training and print what they took."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    try:
        print(f"{name:32} {timed(run, count)}")
    except torch.cuda.OutOfMemoryError as error:
        print(f"{name:32} out of memory: {' '.join(str(error).split())[:120]}")


def timed(run: Callable[[], object], count: int) -> str:
    """What `count` steps of a training took."""
    training = set_up(run)
    method, batches, steps = training.method, training.batches, training.options["steps"]
    accelerator = training.options["accelerator"]
    device = accelerator.device
    for key, network in method.networks.items():
        method.networks[key] = accelerator.prepare(network)
    for key, optimizer in method.optimizers.items():
        method.optimizers[key] = accelerator.prepare(optimizer)
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
    return f"{1000 * median:9.2f} ms  {hours:8.2f} h of {steps:7,} steps  {memory:6.2f} GiB  {waits:3} waits"


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
