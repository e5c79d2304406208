"""Checkpoints of a training, from which it resumes after it was killed; removed once it has succeeded.

They are in `$DVC_ROOT/.checkpoints/<area>/<name>/<fingerprint>-<machine>/`, which DVC does not track. The fingerprint
covers parameters, data and code, and the machine covers the version of torch, the kind of device and the number of
processes. A training with other values of these does not resume, because its steps would differ.
"""

from __future__ import annotations

import contextlib
import errno
import os
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from filelock import FileLock

from dlcv.runtime.errors import FULL, UserError
from dlcv.runtime.files import remove, root

SPARE = 2**20  # bytes; with less than this the disk is full


class Checkpoints:
    """The checkpoints of one training. Each process saves and loads its own file.

    Args:
        area: "adaptation", for example.
        name: of the training in its area.
        fingerprint: `Provenance.fingerprint`.
        device: "cpu" or "cuda".
        rank: index of this process.
        processes: number of processes that train together.
    """

    def __init__(self, area: str, name: str, fingerprint: str, device: str = "cpu", rank: int = 0, processes: int = 1):
        machine = f"{processes}x{device}-torch{torch.__version__}"
        self.folder = root() / ".checkpoints" / area / name / f"{fingerprint[:16]}-{machine}"
        self.rank = rank

    @contextmanager
    def held(self) -> Iterator[None]:
        """Lock the training: another process with the same training, in a queued experiment for example, waits."""
        if self.rank != 0:
            yield
            return
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder.with_name(f"{self.folder.name}.lock")):
            # What a killed process left: a half-written snapshot would be copied into the result.
            for left in (*self.folder.rglob(".*.part*"), *self.folder.parent.glob(f".{self.folder.name}.*.old")):
                remove(left)
            yield

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Write this process's file of the checkpoint of `step`. `latest` ignores it until `publish`."""
        part = self.folder / f"step-{step:09d}.part"
        part.mkdir(parents=True, exist_ok=True)
        path = part / f"rank-{self.rank}.pt"
        try:
            with open(path, "wb") as file:
                torch.save({"step": step, "random": random_state(), **state}, file)
                # `publish` renames the folder: the bytes have to be on the disk before that.
                file.flush()
                os.fsync(file.fileno())
        except (OSError, RuntimeError) as error:
            written = path.stat().st_size if path.is_file() else 0
            remove(part)
            if isinstance(error, OSError):
                full = error.errno in FULL
            else:  # torch reports a full disk as an internal error of many lines
                full = shutil.disk_usage(self.folder).free <= written + SPARE
            if not full:
                raise
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from None

    def publish(self, step: int) -> None:
        """Make the checkpoint of `step` valid and remove older ones. Only one process calls this."""
        final = self.folder / f"step-{step:09d}"
        os.replace(final.with_suffix(".part"), final)
        for other in self.folder.glob("step-*"):
            if other != final:
                shutil.rmtree(other)

    def latest(self) -> dict[str, Any] | None:
        """Load this process's file of the newest valid checkpoint and restore its random state.

        Returns:
            The state that was saved, or None without a checkpoint.

        Raises:
            UserError: the checkpoint cannot be read.
        """
        # A folder without this file was being removed when its process was killed.
        files = self.folder.glob(f"step-*/rank-{self.rank}.pt")
        complete = sorted(path for path in files if path.parent.suffix != ".part")
        if not complete:
            return None
        path = complete[-1]
        try:
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:
            reason = " ".join(str(error).split())[:120]
            raise UserError(
                f"cannot read the checkpoint {path} ({reason}); remove {self.folder} to start anew"
            ) from None
        restore_random_state(state["random"])
        return state

    def run_id(self) -> str | None:
        """The id of the tracking run of the killed training; None without one."""
        file = self.folder / "run"
        return file.read_text().strip() or None if file.is_file() else None

    def keep_run_id(self, run_id: str | None) -> None:
        """Save the id of the tracking run, so that a resumed training continues the run."""
        if run_id is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / "run").write_text(run_id)

    def remove(self) -> None:
        """Remove all checkpoints: the training has succeeded."""
        # Renamed first: a kill in the middle would leave a checkpoint without its snapshots.
        old = self.folder.with_name(f".{self.folder.name}.{os.getpid()}.old")
        with contextlib.suppress(OSError):
            os.replace(self.folder, old)
            shutil.rmtree(old)


def random_state() -> dict[str, Any]:
    """The states of the random generators of Python, NumPy and torch, as plain values and tensors."""
    numpy_state = np.random.get_state(legacy=False)
    assert isinstance(numpy_state, dict)
    return {
        "python": random.getstate(),
        "numpy": {**numpy_state, "state": {**numpy_state["state"], "key": numpy_state["state"]["key"].tolist()}},
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all(),
    }


def restore_random_state(state: dict[str, Any]) -> None:
    """Set the random generators to a result of `random_state`."""
    random.setstate(state["python"])
    key = np.asarray(state["numpy"]["state"]["key"], dtype=np.uint32)
    np.random.set_state({**state["numpy"], "state": {**state["numpy"]["state"], "key": key}})
    torch.set_rng_state(state["torch"])
    for index, values in enumerate(state["cuda"][: torch.cuda.device_count()]):  # there may be fewer GPUs than before
        torch.cuda.set_rng_state(values, index)
