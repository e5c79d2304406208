"""What `dlcv doctor` expects of a training's step, beside what its steps take in the training loop.

    python benchmarks/estimates.py

For each training of params.yaml: the milliseconds of a step as doctor extrapolates them from a few steps with random
images, those of the training as its own stage sets it up, and their ratio; then the hours of all trainings but those of
the adaptation's variants. Reads the prepared data.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dlcv.engine import environment

os.environ["DLCV_TRACKING"] = "off"
environment.prepare_from(Path("params.yaml"))  # before torch is imported

import numpy as np
from trainings import set_up, stages

from dlcv.doctor.jobs import Job, jobs
from dlcv.doctor.measure import cost
from dlcv.engine.loop import train
from dlcv.runtime.config import load

SECONDS = 5.0  # of each training, as doctor expects it
WARM_UP = 3  # steps


def taken(run: Callable[[], object], expected: float) -> float:
    """The mean seconds from one step of a training to the next: a penalty may come in every fourth."""
    made = set_up(run)
    began: list[float] = []
    step = made.method.step

    def timed(*arguments: Any) -> Any:
        began.append(time.perf_counter())
        return step(*arguments)

    made.method.step = timed  # type: ignore[assignment,method-assign]
    steps = max(10, min(60, round(SECONDS / expected)))
    train(made.method, made.batches, **{**made.options, "steps": steps, "snapshot_at": ()})
    return (began[-1] - began[WARM_UP]) / (len(began) - 1 - WARM_UP)


def main() -> None:
    params = load()
    every = [job for job in jobs(params) if "/variants/" not in job.name]
    hours = np.zeros(2)
    for name, run in stages(params):
        job = job_of(name, every)
        both = np.array([expected := cost(job).seconds, taken(run, expected)])
        hours += both * job.steps * len(job.stages) / 3600
        print(f"{name:32}", line(1000 * both, "ms"), flush=True)
    print(f"{'all':32}", line(hours, "h"))


def line(both: np.ndarray, unit: str) -> str:
    expected, seconds = both
    return f"{expected:9.2f} {unit} expected {seconds:9.2f} {unit} taken {expected / seconds:6.2f}"


def job_of(name: str, every: list[Job]) -> Job:
    """The training that `stages` names."""
    word = name.replace(" ", "@")  # "dann usps-mnistm" is the stage dann@usps-mnistm-0
    part = {"judge": ":judge", "vae": "vae/dvc.yaml:", "ddim": "ddim/dvc.yaml:"}.get(word, word)
    return next(job for job in every if any(part in stage for stage in job.stages))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DVC_ROOT"] = folder
        main()
