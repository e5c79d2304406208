"""Where the stages of `dlcv repro` run: as processes on this machine, or on a cluster (`dlcv.runtime.cluster`)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from abc import ABC, abstractmethod
from typing import Self

from dlcv.runtime.devices import VISIBLE
from dlcv.runtime.edits import EDITED
from dlcv.runtime.gpus import Gpus
from dlcv.runtime.tracking import LATER

# What DVC prints after every stage; not shown.
HINTS = (
    "Updating lock file",
    "Use `dvc push`",
    "To track the changes",
    "\tgit add",
    "To enable auto staging",
    "\tdvc config core.autostage",
)
DVC = (sys.executable, "-m", "dvc", "--wait-for-lock")  # other stages may hold its lock for longer than it waits
PATIENCE = 20.0  # seconds that stages have to stop: a training writes a checkpoint after its current step


class Executor(ABC):
    """Runs stages, several at a time. As a context it passes SIGINT and SIGTERM on to them.

    Attributes:
        slots: how many stages run at a time, at most.
        stopped: name of the signal that came; empty if none did.
    """

    def __init__(self, slots: int):
        self.slots = slots
        self.stopped = ""
        self._handlers: dict[int, object] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._handlers[number] = signal.signal(number, self._stop)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    @abstractmethod
    def admit(self, stage: str) -> bool:
        """Take a place for `stage`; False if it has to wait for a running stage to end."""

    def run(self, stage: str) -> int:
        """Run an admitted stage, print its output line by line after its name, and return its exit code."""
        while True:
            code, edited = self.attempt(stage)
            if not edited or self.stopped:
                return code
            print(f"{short(stage)} | its inputs were edited, so it runs again", flush=True)

    @abstractmethod
    def attempt(self, stage: str) -> tuple[int, bool]:
        """Run a stage once; the exit code, and whether it failed because its inputs were edited."""

    @abstractmethod
    def leave(self, stage: str) -> None:
        """Give the place of `stage` back."""

    @abstractmethod
    def interrupt(self) -> None:
        """Ask the running stages to stop."""

    @abstractmethod
    def kill(self) -> None:
        """End the running stages."""

    def _stop(self, number: int, _: object) -> None:
        if self.stopped:
            return
        self.stopped = signal.Signals(number).name
        print(f"dlcv: {self.stopped}: the running stages stop, within {PATIENCE:.0f} s", file=sys.stderr, flush=True)
        self.interrupt()
        killer = threading.Timer(PATIENCE, self.kill)
        killer.daemon = True
        killer.start()


class Processes(Executor):
    """Stages as processes on this machine, which share its GPUs."""

    def __init__(self, slots: int, machine: Gpus):
        super().__init__(slots)
        self.machine = machine
        self._on: dict[str, str] = {}  # by stage: its GPU
        self._running: set[subprocess.Popen[str]] = set()

    def admit(self, stage: str) -> bool:
        if (gpu := self.machine.place(stage)) is None:
            return False
        self._on[stage] = gpu
        return True

    def attempt(self, stage: str) -> tuple[int, bool]:
        gpu, edited = self._on[stage], False
        with subprocess.Popen(
            command(stage),
            env={"PYTHONUNBUFFERED": "1", "DLCV_TRACKING": LATER, **os.environ, **({VISIBLE: gpu} if gpu else {})},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # A group of its own: a signal has to reach the stage, and DVC has to outlive it to release its locks.
            start_new_session=True,
        ) as process:
            self._running.add(process)
            if self.stopped:  # the signal came while this process was started
                os.killpg(process.pid, signal.SIGINT)
            assert process.stdout is not None
            for line in process.stdout:
                edited |= EDITED in line
                if line.strip() and not line.startswith(HINTS):
                    print(f"{short(stage)} | {line}", end="", flush=True)
        self._running.discard(process)
        return process.returncode, edited and process.returncode != 0

    def leave(self, stage: str) -> None:
        self.machine.leave(stage)
        del self._on[stage]

    def interrupt(self) -> None:
        self._send(signal.SIGINT)  # DVC ignores it while its stage runs, and then releases its locks

    def kill(self) -> None:
        self._send(signal.SIGKILL)

    def _send(self, number: int) -> None:
        for process in list(self._running):
            if process.poll() is None:
                os.killpg(process.pid, number)


def command(stage: str) -> list[str]:
    """The command that brings one stage up to date."""
    return [*DVC, "repro", "--single-item", stage]


def short(stage: str) -> str:
    """`gan:train@sngan` for `stages/gan/dvc.yaml:train@sngan`."""
    return stage.removeprefix("stages/").replace("/dvc.yaml:", ":")
