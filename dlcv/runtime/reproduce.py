"""`dvc repro` of the whole pipeline, with several stages at a time.

DVC runs one stage at a time, and a small network does not use all cores. Here each changed stage is run by
`dvc repro --single-item` as soon as all stages that it depends on are up to date. DVC still decides what changed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path

from filelock import FileLock, Timeout

from dlcv.runtime import durations
from dlcv.runtime.devices import VISIBLE, gpus
from dlcv.runtime.edits import EDITED
from dlcv.runtime.errors import UserError
from dlcv.runtime.stages import Pipeline, read_pipeline
from dlcv.runtime.tracking import LATER, import_file, offline

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
PATIENCE = 20.0  # seconds that stages have to stop: a training writes a checkpoint after its current step
EVERY = 60.0  # seconds between two imports of what stages have logged


def default_jobs() -> int:
    """How many stages run at a time: one for each NVIDIA GPU; without one, one for each core up to `AT_MOST`."""
    return len(gpus()) or min(_cores(), AT_MOST)


def reproduce(jobs: int, keep_going: bool = False) -> None:
    """Bring all stages of the repository of the working directory up to date, `jobs` stages at a time.

    Of the stages that can run, that with the longest path behind it starts first. Where there are several GPUs, a stage
    gets the one with the fewest stages. After a failure, running stages finish and no further stage starts; with
    `keep_going`, those start that do not need the failed one. SIGTERM and SIGINT stop the running stages. A second call
    in the same repository waits for the first one.

    Raises:
        UserError: there is no pipeline here, a stage failed, or a signal stopped the stages.
    """
    with _alone(), Stages() as stages, Importer(), ThreadPoolExecutor(jobs) as pool:
        pipeline = read_pipeline()
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
            # Submit no more than can run: stages that wait in the pool would start after a failure.
            while ready and len(running) < jobs and not stages.stopped:
                stage = ready.pop(0)
                touched.add(stage)
                running[pool.submit(stages.run, stage)] = stage
            done, _ = wait(running, timeout=None if running else 0, return_when=FIRST_COMPLETED)
            for future in done:
                stage = running.pop(future)
                if not future.result():
                    order.done(stage)
                    continue
                if not (keep_going or stages.stopped):
                    raise UserError(f"stage {stage} failed; its messages start with {_short(stage)}")
                failed.append(stage)  # never done, so what needs it never starts
            if stages.stopped and not running:
                raise UserError(f"stopped by {stages.stopped}; run the same command again to go on")
        if failed:
            names = ", ".join(failed)
            raise UserError(f"{len(failed)} stages failed, and what needs them did not run: {names}")
        print(f"{len(pipeline.needs) - len(touched)} of {len(pipeline.needs)} stages were up to date")


def _to_run(stage: str, pipeline: Pipeline, touched: set[str]) -> bool:
    """Whether DVC has to look at a stage: it has changed, or a stage that it needs may have changed since."""
    return stage in pipeline.changed or not touched.isdisjoint(pipeline.needs[stage])


@dataclass
class Stages:
    """The running stages. As a context it passes SIGINT and SIGTERM on to them.

    Attributes:
        stopped: name of the signal that came; empty if none did.
        on_gpu: how many stages run on each GPU.
    """

    stopped: str = ""
    on_gpu: dict[str, int] = field(default_factory=lambda: dict.fromkeys(gpus(), 0))
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _processes: set[subprocess.Popen[str]] = field(default_factory=set)
    _handlers: dict[int, object] = field(default_factory=dict)

    def __enter__(self) -> Stages:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._handlers[number] = signal.signal(number, self._stop)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def run(self, stage: str) -> int:
        """Run one stage, again if its inputs were edited while it ran, and return its exit code."""
        while True:
            code, edited = self._run(stage)
            if not edited or self.stopped:
                return code
            print(f"{_short(stage)} | its inputs were edited, so it runs again", flush=True)

    def _run(self, stage: str) -> tuple[int, bool]:
        """Run one stage and print its output line by line after its name.

        Returns:
            The exit code, and whether the stage failed because its inputs were edited.
        """
        edited = False
        # Other stages may hold DVC's lock for longer than DVC waits by default.
        command = [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", "--single-item", stage]
        with (
            self._gpu() as gpu,
            subprocess.Popen(
                command,
                env={"PYTHONUNBUFFERED": "1", "DLCV_TRACKING": LATER, **os.environ, **gpu},
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                # A group of its own: a signal has to reach the stage, and DVC has to outlive it to release its locks.
                start_new_session=True,
            ) as process,
        ):
            self._processes.add(process)
            if self.stopped:  # the signal came while this process was started
                os.killpg(process.pid, signal.SIGINT)
            assert process.stdout is not None
            for line in process.stdout:
                edited |= EDITED in line
                if line.strip() and not line.startswith(HINTS):
                    print(f"{_short(stage)} | {line}", end="", flush=True)
        self._processes.discard(process)
        return process.returncode, edited and process.returncode != 0

    @contextmanager
    def _gpu(self) -> Iterator[dict[str, str]]:
        """The variables that give a stage its GPU; none for a machine without one."""
        if not self.on_gpu:
            yield {}
            return
        with self._lock:
            gpu = min(self.on_gpu, key=self.on_gpu.__getitem__)
            self.on_gpu[gpu] += 1
        try:
            yield {VISIBLE: gpu}
        finally:
            with self._lock:
                self.on_gpu[gpu] -= 1

    def _stop(self, number: int, _: object) -> None:
        if self.stopped:
            return
        self.stopped = signal.Signals(number).name
        print(f"dlcv: {self.stopped}: the running stages stop, within {PATIENCE:.0f} s", file=sys.stderr, flush=True)
        self._send(signal.SIGINT)  # DVC ignores it while its stage runs, and then releases its locks
        killer = threading.Timer(PATIENCE, self._send, [signal.SIGKILL])
        killer.daemon = True
        killer.start()

    def _send(self, number: int) -> None:
        for process in list(self._processes):
            if process.poll() is None:
                os.killpg(process.pid, number)


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
def _alone() -> Iterator[None]:
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


def _short(stage: str) -> str:
    """`gan:train@sngan` for `stages/gan/dvc.yaml:train@sngan`."""
    return stage.removeprefix("stages/").replace("/dvc.yaml:", ":")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
