"""Eight trainings log to one sqlite database at once; in a second round another process locks it meanwhile.

    python -m tests.chaos.locked_database [WRITERS]

The lock comes when every training is in its loop, and goes when every training and its evaluation have ended. What they
logged is then imported.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import tempfile
import traceback
from functools import partial
from pathlib import Path

import mlflow.store.tracking.sqlalchemy_store  # noqa: F401  # once, before the forks
import torch

from dlcv.engine import training
from dlcv.engine.arithmetic import make_accelerator
from dlcv.engine.loop import train
from dlcv.runtime import tracking
from tests.chaos.tracked import Watched, check, stage

WRITERS = 8


def writer(name: str, ready: int, go: int) -> int:
    """Start a stage in a process of its own, which writes to `ready` in its loop and then waits for `go`."""
    child = os.fork()
    if child:
        return child
    os.dup2(os.open(f"{name}.log", os.O_WRONLY | os.O_CREAT), 2)
    code = 1
    try:
        make_accelerator()
        stage(Watched(lambda _: (os.write(ready, b"."), os.read(go, 1))), "area", name)
        code = 0
    except BaseException:
        traceback.print_exc()
    os._exit(code)


def attempt(writers: int, locked: bool) -> str:
    """What came of `writers` stages in an empty folder. Raises AssertionError if something is missing or twice."""
    os.chdir(tempfile.mkdtemp())
    tracking.initialise()
    is_ready, ready = os.pipe()
    go, start = os.pipe()
    names = tuple(f"training{index}" for index in range(writers))
    started = [writer(name, ready, go) for name in names]
    os.close(ready)
    for _ in started:
        assert os.read(is_ready, 1) == b".", "a stage ended before its loop"
    other = sqlite3.connect("mlflow.db", isolation_level=None, timeout=60)
    if locked:
        other.execute("BEGIN EXCLUSIVE")
    os.write(start, b"." * writers)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in started]
    other.close()
    assert codes == [0] * writers, "".join(path.read_text() for path in Path().glob("*.log"))
    files = list(Path("mlruns-offline").glob("*.jsonl"))
    assert files or not locked
    if files:
        tracking.import_file(Path("mlruns-offline"))
    assert not list(Path("mlruns-offline").glob("*.jsonl"))
    check("area", names)
    return f"{writers} writers{', locked out' if locked else ''}: {len(files)} files imported, everything is there once"


def main() -> int:
    writers = int(sys.argv[1]) if len(sys.argv) > 1 else WRITERS
    torch.set_num_threads(1)
    for name in ("DVC_ROOT", "DLCV_TRACKING", "MLFLOW_TRACKING_URI"):
        os.environ.pop(name, None)
    tracking.FLUSH_SECONDS = 0.01
    training.train = partial(train, log_every=2)  # type: ignore[assignment]
    for locked in (False, True):
        print(attempt(writers, locked), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
