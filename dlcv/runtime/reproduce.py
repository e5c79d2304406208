"""`dvc repro` of the whole pipeline, with several stages at a time.

DVC runs one stage at a time, and a small network does not use all cores. Here each stage is run by
`dvc repro --single-item` as soon as all stages that it depends on are up to date. DVC still decides which stages run.
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

# What DVC prints after every stage; not shown.
HINTS = (
    "Updating lock file",
    "Use `dvc push`",
    "To track the changes",
    "\tgit add",
    "To enable auto staging",
    "\tdvc config core.autostage",
)
AT_MOST = 4  # the default for many cores: each stage may need more than a gigabyte


def default_jobs() -> int:
    """The number of stages to run at a time: one with an NVIDIA GPU, otherwise one for each core up to `AT_MOST`."""
    return 1 if shutil.which("nvidia-smi") else min(_cores(), AT_MOST)


def reproduce(jobs: int) -> None:
    """Bring all stages of the repository of the working directory up to date, `jobs` stages at a time.

    After a failure, running stages finish and no further stage starts.

    Raises:
        UserError: there is no pipeline here, or a stage failed.
    """
    environment = {"PYTHONUNBUFFERED": "1", **os.environ}
    order = TopologicalSorter(_dependencies())
    order.prepare()
    ready: list[str] = []
    running: dict[Future[int], str] = {}
    with ThreadPoolExecutor(jobs) as pool:
        while order.is_active():
            ready += order.get_ready()
            # Submit no more than can run: stages that wait in the pool would start after a failure.
            while ready and len(running) < jobs:
                stage = ready.pop(0)
                running[pool.submit(_run, stage, environment)] = stage
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                stage = running.pop(future)
                if future.result():
                    raise UserError(f"stage {stage} failed; its messages start with {_short(stage)}")
                order.done(stage)


def _dependencies() -> dict[str, list[str]]:
    """The stages that each stage depends on, as DVC's addresses: `stages/gan/dvc.yaml:train@sngan`."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo() as repo:
            graph = repo.index.graph
            return {stage.addressing: [needed.addressing for needed in graph.successors(stage)] for stage in graph}
    except DvcException as error:
        raise UserError(f"no pipeline: {error}") from error


def _run(stage: str, environment: Mapping[str, str]) -> int:
    """Run one stage, print its output line by line after its name, and return its exit code."""
    # Other stages may hold DVC's lock for longer than DVC waits by default.
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
