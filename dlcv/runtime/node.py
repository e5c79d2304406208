"""What a node of a Ray cluster does with one stage.

This module is sent to the node, so it imports nothing of this package. The node needs its dependencies: DVC, torch etc.
"""

from __future__ import annotations

import hashlib
import io
import os
import platform
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

# Runs a command and ends it when the worker that started this one has died. Otherwise the stage of a dead worker would
# go on beside its own second attempt. There are two of them, one in the other: Ray kills the children of a worker, and
# only those, so the inner one is left to see it. It holds a file lock as long as its command lives: the second
# attempt waits for it, on another node too.
GUARD = """
import fcntl, os, signal, subprocess, sys, time
signal.pthread_sigmask(signal.SIG_SETMASK, [])  # a worker blocks SIGINT
parent, place, lock, *command = sys.argv[1:]
if place == "outer":
    command = [sys.executable, "-c", sys.orig_argv[2], str(os.getpid()), "inner", lock, *command]
else:
    held = open(lock, "w")
    fcntl.flock(held, fcntl.LOCK_EX)
process = subprocess.Popen(command, start_new_session=True)
signal.signal(signal.SIGINT, lambda *_: os.killpg(process.pid, signal.SIGINT))
while process.poll() is None:
    if os.getppid() != int(parent):
        if place == "inner":
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()  # DVC takes the locks of a process that it still sees for held
        sys.exit(1)
    time.sleep(0.2)
sys.exit(process.returncode)
"""


class Task(NamedTuple):
    """A stage for a node.

    Attributes:
        stage: DVC's address.
        needs: the addresses of the stages whose outputs it reads.
        name: of the stage, for its messages.
        root: the repository on the machine of the command.
        back: paths in the repository that come back from a node without the folder.
        token: the text of a file in it, by which a node knows that it shares the folder.
        token_file: its path in the repository.
        environment: variables of the stage.
        hints: starts of lines that are not printed.
        sign: text in a line of a stage whose inputs were edited while it ran.
        patience: seconds that the stage has to stop.
    """

    stage: str
    needs: list[str]
    name: str
    root: str
    back: list[str]
    token: str
    token_file: str
    environment: dict[str, str]
    hints: tuple[str, ...]
    sign: str
    patience: float


class Done(NamedTuple):
    """What a node has done.

    Attributes:
        code: the exit code of DVC; None if the node did nothing: it lacks the folder and got no files.
        edited: whether the stage failed because its inputs were edited.
        away: the name of a node without the folder of the repository; empty if the node shares it.
        files: those of `Task.back`, as a tar file.
    """

    code: int | None
    edited: bool = False
    away: str = ""
    files: bytes = b""


class Stop:
    """An actor that tells the nodes whether the stages have to stop."""

    def __init__(self) -> None:
        self.asked = False

    def ask(self) -> None:
        self.asked = True

    def came(self) -> bool:
        return self.asked


def run(task: Task, stop: Any, snapshot: bytes) -> Done:
    """Run a stage in the repository, if this node shares its folder, or else in a copy with the DVC remote.

    Args:
        stop: the actor `Stop`.
        snapshot: the files of the repository without outputs, as a tar file; empty as long as no node needs them.
    """
    if shares(task):
        return Done(*_dvc(task, stop, Path(task.root), "repro", "--single-item", task.stage))
    if not snapshot:
        return Done(None, away=platform.node())
    with tempfile.TemporaryDirectory(prefix="dlcv-") as name:
        folder = Path(name)
        with tarfile.open(fileobj=io.BytesIO(snapshot)) as archive:
            archive.extractall(folder, filter="data")
        # The stages of this node share a cache, so an output is pulled once.
        cache = Path.home() / ".cache" / "dlcv" / "dvc"
        for key, value in {"core.no_scm": "true", "cache.dir": str(cache)}.items():
            subprocess.run([sys.executable, "-m", "dvc", "config", "--local", key, value], cwd=folder, check=True)
        commands = [["repro", "--single-item", "--pull", task.stage], ["push", "--run-cache", task.stage]]
        if task.needs:  # `repro --pull` pulls a missing dependency only if it is one output, not a folder of several
            commands.insert(0, ["pull", *task.needs])
        code = 0
        for words in commands:
            code = code or _dvc(task, stop, folder, *words)[0]
        return Done(code, away=platform.node(), files=_packed(folder, task.back))


def shares(task: Task) -> bool:
    """Whether this node shares the folder of the repository: it sees the file with the token of this run."""
    token = Path(task.root, task.token_file)
    return token.is_file() and token.read_text(encoding="utf-8") == task.token


def _dvc(task: Task, stop: Any, folder: Path, *words: str) -> tuple[int, bool]:
    """Run a command of DVC and print what it says; the exit code, and whether it failed because of an edit."""
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, **task.environment, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
    dvc = [sys.executable, "-m", "dvc", "--wait-for-lock", *words]
    lock = folder / ".dvc" / "tmp" / f"dlcv-ray-{hashlib.sha256(task.stage.encode()).hexdigest()[:16]}.lock"
    lock.parent.mkdir(exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-c", GUARD, str(os.getpid()), "outer", str(lock), *dvc],
        cwd=folder,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    assert process.stdout is not None
    threading.Thread(target=_stop_when_asked, args=(process, stop, task.patience), daemon=True).start()
    edited = False
    for line in process.stdout:
        edited |= task.sign in line
        if line.strip() and not line.startswith(task.hints):
            print(f"{task.name} | {line}", end="", flush=True)
    code = process.wait()
    return code, edited and code != 0


def _stop_when_asked(guard: subprocess.Popen[str], stop: Any, patience: float) -> None:
    """Interrupt the command of `guard` when `stop` says so, and kill it after `patience` seconds."""
    import ray

    while guard.poll() is None:
        try:
            asked = ray.get(stop.came.remote())
        except ray.exceptions.RayError:  # the machine of the command is gone
            asked = True
        if asked:
            guard.send_signal(signal.SIGINT)  # DVC ignores it while its stage runs, and then releases its locks
            end = time.monotonic() + patience
            while guard.poll() is None and time.monotonic() < end:
                time.sleep(0.1)
            guard.kill()
            return
        time.sleep(0.5)


def _packed(folder: Path, names: list[str]) -> bytes:
    """The files and folders `names` in `folder`, without those that do not exist, as a tar file."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name in names:
            if (folder / name).exists():
                archive.add(folder / name, arcname=name)
    return stream.getvalue()
