"""The text of `dlcv doctor`."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dlcv.doctor.jobs import Job, jobs
from dlcv.doctor.machine import GB, machine, missing
from dlcv.doctor.measure import Cost, cost
from dlcv.runtime import compute
from dlcv.runtime.config import PATH, Params, load
from dlcv.runtime.editing import apply_profile
from dlcv.runtime.progress import over

HEADER = (
    f"{'training':34} {'stages':>6} {'steps':>8} {'TFLOP a step':>12} {'memory, GB':>10} {'hours each':>10} {'all':>7}"
)


def params_of(profile: str | None) -> Params:
    """params.yaml, or what it would be with a profile; the file stays as it is.

    Raises:
        UserError: no such profile.
    """
    if profile is None:
        return load()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / PATH
        shutil.copy(PATH, copy)
        apply_profile(profile, copy)
        return load(copy)


def lines(profile: str | None) -> Iterator[str]:
    """What the machine has, what is missing, and a line for each training, measured here with a few steps."""
    params, here = params_of(profile), machine()
    yield from here.lines
    lacking = list(missing(params))
    yield from (f"missing {line}" for line in lacking)
    if not lacking:
        yield "missing nothing"
    yield ""
    yield f"The trainings of {profile or 'params.yaml'}, from a few steps of each on {here.device}:"
    yield HEADER
    total, trainings = 0.0, list(jobs(params))
    for job in over(trainings, "measuring", "training"):
        found = cost(job)
        hours = found.seconds * job.steps / 3600
        total += hours * len(job.stages)
        yield row(job, found, hours, here.memory)
    yield f"{'all trainings, one after another':34} {'':>49} {total:>17.2f}"
    if here.device == compute.cpu() and any(job.precision == "fp16" for job in trainings):
        yield "The trainings in fp16 need a GPU; here they were measured in bf16."
    yield "Sampling and evaluation are not in it."


def memory_of_stages(profile: str | None) -> dict[str, float]:
    """The bytes that each training needs here, by the address of its stage."""
    trainings = over(list(jobs(params_of(profile))), "measuring", "training")
    return {stage: found for job in trainings for found in [cost(job).bytes] for stage in job.stages}


def row(job: Job, found: Cost, hours: float, memory: float) -> str:
    """A line of the table; it says so if the training does not fit."""
    size = f"{found.bytes / GB:>10.2f}"
    note = "  does not fit: lower its batch_size" if found.bytes > memory else ""
    work = f"{found.flops / 1e12:>12.4f}"
    each = f"{hours:>10.3f} {hours * len(job.stages):>7.2f}"
    return f"{job.name:34} {len(job.stages):>6} {job.steps:>8,} {work} {size} {each}{note}"
