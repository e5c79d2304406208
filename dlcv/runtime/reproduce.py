"""`dvc repro` of the whole pipeline with several stages at a time.

DVC runs one stage after another, and a narrow network keeps few cores busy. Here each stage is run, by
`dvc repro --single-item`, as soon as all that it depends on is up to date. What is run and what is skipped is DVC's
word, as ever.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from graphlib import TopologicalSorter

from dlcv.runtime.errors import UserError

# What DVC says after every stage.
HINTS = (
    "Updating lock file",
    "Use `dvc push`",
    "To track the changes",
    "\tgit add",
    "To enable auto staging",
    "\tdvc config core.autostage",
)
AT_MOST = 4  # stages at a time unless more are asked for: each may take more than a gigabyte


def default_jobs() -> int:
    """How many stages to run at a time: one where there is an NVIDIA GPU to share, else one for each core."""
    return 1 if shutil.which("nvidia-smi") else min(_cores(), AT_MOST)


def reproduce(jobs: int) -> None:
    """Bring every stage of the repository around the working directory up to date, `jobs` at a time.

    After a failure the stages that run are finished and no other begins.

    Raises:
        UserError: no pipeline here, or a stage that failed.
    """
    environment = {"OMP_NUM_THREADS": str(max(1, _cores() // jobs)), "PYTHONUNBUFFERED": "1", **os.environ}
    order = TopologicalSorter(_dependencies())
    order.prepare()
    ready: list[str] = []
    running: dict[Future[int], str] = {}
    with ThreadPoolExecutor(jobs) as pool:
        while order.is_active():
            ready += order.get_ready()
            # No more than run at once: what waited in the pool would begin before a failure is noticed.
            while ready and len(running) < jobs:
                stage = ready.pop(0)
                running[pool.submit(_run, stage, environment)] = stage
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                stage = running.pop(future)
                if future.result():
                    raise UserError(f"stage {stage} failed; its messages begin with {_short(stage)}")
                order.done(stage)


def _dependencies() -> dict[str, list[str]]:
    """The stages that each stage depends on, by DVC's addresses: `stages/gan/dvc.yaml:train@sngan`."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo() as repo:
            graph = repo.index.graph
            return {stage.addressing: [needed.addressing for needed in graph.successors(stage)] for stage in graph}
    except DvcException as error:
        raise UserError(f"no pipeline: {error}") from error


def _run(stage: str, environment: Mapping[str, str]) -> int:
    """The exit code of one stage, whose lines are printed behind its name as they come."""
    # Others may hold DVC's lock for longer than it waits by itself.
    command = [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", "--single-item", stage]
    with subprocess.Popen(
        command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip() and not line.startswith(HINTS):
                print(f"{_short(stage)} | {line}", end="", flush=True)
    return process.returncode


def _short(stage: str) -> str:
    """`gan:train@sngan` for `stages/gan/dvc.yaml:train@sngan`."""
    return stage.removeprefix("stages/").replace("/dvc.yaml:", ":")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
