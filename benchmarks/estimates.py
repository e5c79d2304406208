"""What `dlcv doctor` expects of a training's step, beside what its steps take in the training loop.

    python benchmarks/estimates.py

For each training of params.yaml: the milliseconds of a step as doctor extrapolates them from a few steps with random
images, those of the training as its own stage sets it up, and their ratio. Reads the prepared data.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from dlcv.engine import environment

os.environ["DLCV_TRACKING"] = "off"
environment.prepare_from(Path("params.yaml"))  # before torch is imported

from trainings import set_up, stages

from dlcv.doctor.jobs import jobs
from dlcv.doctor.measure import cost
from dlcv.engine.loop import train
from dlcv.runtime.config import load

SECONDS = 5.0  # of each training, as doctor expects it
WARM_UP = 3  # steps


def taken(run: Callable[[], object], expected: float) -> float:
    """The median seconds from one step of a training to the next."""
    made = set_up(run)
    began: list[float] = []
    step = made.method.step

    def timed(*arguments: Any) -> Any:
        began.append(time.perf_counter())
        return step(*arguments)

    made.method.step = timed  # type: ignore[method-assign]
    steps = max(10, min(60, round(SECONDS / expected)))
    train(made.method, made.batches, **{**made.options, "steps": steps, "snapshot_at": ()})
    return statistics.median(after - before for before, after in pairwise(began[WARM_UP:]))


def main() -> None:
    params = load()
    costs = {stage: cost(job) for job in jobs(params) if "/variants/" not in job.name for stage in job.stages}
    for name, run in stages(params):
        stage = stage_of(name, list(costs))
        expected = costs[stage].seconds
        seconds = taken(run, expected)
        print(f"{name:32} {1000 * expected:8.1f} ms expected {1000 * seconds:8.1f} ms taken {expected / seconds:6.2f}")


def stage_of(name: str, addresses: list[str]) -> str:
    """The address of a training that `stages` names."""
    word = name.replace(" ", "@")  # "dann usps-mnistm" is the stage dann@usps-mnistm-0
    kind = {"judge": ":judge", "vae": "vae/dvc.yaml:", "ddim": "ddim/dvc.yaml:"}.get(word, word)
    return next(address for address in addresses if kind in address)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DVC_ROOT"] = folder
        main()
