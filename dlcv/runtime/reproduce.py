"""`dvc repro` of the whole pipeline, with several stages at a time.

DVC runs one stage at a time, and a small network does not use all cores. Here each changed stage is run by
`dvc repro --single-item` as soon as all stages that it depends on are up to date. DVC still decides what changed.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from graphlib import TopologicalSorter
from pathlib import Path

from filelock import FileLock, Timeout

from dlcv.runtime import devices, durations
from dlcv.runtime.errors import UserError
from dlcv.runtime.executors import Executor, Processes, short
from dlcv.runtime.gpus import Gpus, needed, shared
from dlcv.runtime.stages import Pipeline, read_pipeline
from dlcv.runtime.tracking import LATER, import_file, offline

AT_MOST = 4  # the default for many cores: each stage may need more than a gigabyte
EVERY = 60.0  # seconds between two imports of what stages have logged


def default_jobs() -> int:
    """How many stages run at a time: one for each core, up to `AT_MOST` for each NVIDIA GPU or for the CPU."""
    return min(_cores(), AT_MOST * max(1, len(devices.gpus())))


def reproduce(jobs: int | None, keep_going: bool = False) -> None:
    """Bring all stages of the repository of the working directory up to date, `jobs` stages at a time.

    Where there are several GPUs, each stage gets one of them. Without `jobs` there are `default_jobs`, and on GPUs no
    more than their memory holds. See `run` for the order. A second call in the same repository waits for the first one.

    Raises:
        UserError: as of `run`, or the memory of the trainings cannot be measured.
    """
    with alone():
        pipeline = read_pipeline()
        machine = shared() if jobs is None and pipeline.changed else Gpus(devices.memory())
        run(pipeline, Processes(default_jobs() if jobs is None else jobs, machine), keep_going)


def reproduce_on_ray(address: str | None, threads: int, keep_going: bool = False) -> None:
    """As `reproduce`, on the nodes of the Ray cluster at `address`, with as many CPUs for a stage as it has threads."""
    from dlcv.runtime.cluster import Cluster, connect

    with alone():
        ray = connect(address)  # first: to measure what the stages need takes minutes
        pipeline = read_pipeline()
        memory = needed(Path("params.yaml")) if pipeline.changed else {}
        gpu = min(devices.memory().values(), default=None)
        run(pipeline, Cluster(ray, pipeline.needs, threads, memory, gpu), keep_going)


def run(pipeline: Pipeline, executor: Executor, keep_going: bool = False) -> None:
    """Bring all stages of `pipeline` up to date.

    Of the stages that can run, that with the longest path behind it starts first. After a failure, running stages
    finish and no further stage starts; with `keep_going`, those start that do not need the failed one. SIGTERM and
    SIGINT stop the running stages.

    Raises:
        UserError: a stage failed, or a signal stopped the stages.
    """
    with executor, Importer(), ThreadPoolExecutor(executor.slots) as pool:
        remaining = pipeline.remaining(durations.last())
        order = TopologicalSorter(pipeline.needs)
        order.prepare()
        touched: set[str] = set()  # stages that DVC has looked at; those that need them it looks at as well
        ready: list[str] = []
        running: dict[Future[int], str] = {}
        failed: list[str] = []
        while order.is_active():
            ready += order.get_ready()
            skipped = [stage for stage in ready if not _to_run(stage, pipeline, touched)]
            for stage in skipped:
                ready.remove(stage)
                order.done(stage)
            if not (skipped or ready or running):
                break  # what is left needs a failed stage
            ready.sort(key=lambda stage: -remaining[stage])
            # Submit no more than can run: stages that wait in the pool would start after a failure. No smaller stage
            # passes the first one, or a large training would never find room.
            while ready and len(running) < executor.slots and not executor.stopped and executor.admit(ready[0]):
                stage = ready.pop(0)
                touched.add(stage)
                running[pool.submit(executor.run, stage)] = stage
            done, _ = wait(running, timeout=None if running else 0, return_when=FIRST_COMPLETED)
            for future in done:
                stage = running.pop(future)
                executor.leave(stage)
                if not future.result():
                    order.done(stage)
                    continue
                if not (keep_going or executor.stopped):
                    raise UserError(f"stage {stage} failed; its messages start with {short(stage)}")
                failed.append(stage)  # never done, so what needs it never starts
            if executor.stopped and not running:
                raise UserError(f"stopped by {executor.stopped}; run the same command again to go on")
        if failed:
            names = ", ".join(failed)
            raise UserError(f"{len(failed)} stages failed, and what needs them did not run: {names}")
        print(f"{len(pipeline.needs) - len(touched)} of {len(pipeline.needs)} stages were up to date")


def _to_run(stage: str, pipeline: Pipeline, touched: set[str]) -> bool:
    """Whether DVC has to look at a stage: it has changed, or a stage that it needs may have changed since."""
    return stage in pipeline.changed or not touched.isdisjoint(pipeline.needs[stage])


class Importer:
    """Sends to MLflow what the stages log to files: every `EVERY` seconds in a thread of its own, and at the end.

    A server that is away is asked again the next time. The files are kept until all of them is sent.
    """

    def __init__(self) -> None:
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Importer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
        if problem := self._send(running=False):
            print(f"dlcv: {problem}; `dlcv tracking import {offline()}` sends what is left", file=sys.stderr)

    def _run(self) -> None:
        while not self._end.wait(EVERY):
            self._send(running=True)

    def _send(self, running: bool) -> str:
        """Import what there is; a line if it failed."""
        if os.environ.get("DLCV_TRACKING", LATER) != LATER or not any(offline().glob("*.jsonl")):
            return ""
        try:
            import_file(offline(), running)
        except Exception as error:  # tracking stops no study
            return str(error)
        return ""


@contextmanager
def alone() -> Iterator[None]:
    """Wait until no other `dlcv repro` runs in this repository."""
    folder = Path(".dvc/tmp")
    if not folder.parent.is_dir():
        raise UserError("no pipeline: there is no .dvc here; run dlcv in the root of the repository")
    folder.mkdir(exist_ok=True)
    lock = FileLock(folder / "dlcv-repro.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print("dlcv: another dlcv repro runs here; waiting for it", file=sys.stderr, flush=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
