"""Checkpoints of a training that may be killed: found again by its fingerprint, gone once it succeeds.

They lie in `$DVC_ROOT/.checkpoints/<area>/<name>/<fingerprint>-<machine>/`, outside what DVC knows. A
training whose parameters, data or code changed has another fingerprint and starts anew; so does one
under another torch, on another kind of device or with another number of processes, whose steps
would not be the same.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from filelock import FileLock

from dlcv.runtime.errors import UserError
from dlcv.runtime.files import root


class Checkpoints:
    """The checkpoints of one training; each process writes its own part of them.

    Args:
        area: "adaptation".
        name: name of the training inside its area.
        fingerprint: `Provenance.fingerprint`.
        device: "cpu" or "cuda".
        rank: index of this process among those that train together.
        processes: how many do.
    """

    def __init__(self, area: str, name: str, fingerprint: str, device: str = "cpu", rank: int = 0, processes: int = 1):
        machine = f"{processes}x{device}-torch{torch.__version__}"
        self.folder = root() / ".checkpoints" / area / name / f"{fingerprint[:16]}-{machine}"
        self.rank = rank

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let another process that wants to train the same thing, in a queued experiment say, wait."""
        if self.rank != 0:
            yield
            return
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder.with_name(f"{self.folder.name}.lock")):
            yield

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Write one process's part of the checkpoint of `step`; `publish` makes it count."""
        part = self.folder / f"step-{step:09d}.part"
        part.mkdir(parents=True, exist_ok=True)
        with open(part / f"rank-{self.rank}.pt", "wb") as file:
            torch.save({"step": step, "random": random_state(), **state}, file)
            # Renamed below: the bytes have to be on the disk before the name says so.
            file.flush()
            os.fsync(file.fileno())

    def publish(self, step: int) -> None:
        """Rename the checkpoint of `step` into place and drop the older ones; one process calls it."""
        final = self.folder / f"step-{step:09d}"
        os.replace(final.with_suffix(".part"), final)
        for other in self.folder.glob("step-*"):
            if other != final:
                shutil.rmtree(other)

    def latest(self) -> dict[str, Any] | None:
        """The newest whole checkpoint's part of this process, its random state restored; None without one.

        Raises:
            UserError: the checkpoint cannot be read.
        """
        complete = sorted(path for path in self.folder.glob("step-*") if path.suffix != ".part")
        if not complete:
            return None
        path = complete[-1] / f"rank-{self.rank}.pt"
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
        """The tracking run of the training that was killed, if there was one."""
        file = self.folder / "run"
        return file.read_text().strip() or None if file.is_file() else None

    def keep_run_id(self, run_id: str | None) -> None:
        """Remember the tracking run for a resumed training."""
        if run_id is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / "run").write_text(run_id)

    def remove(self) -> None:
        """Forget the training: it has succeeded."""
        shutil.rmtree(self.folder, ignore_errors=True)


def random_state() -> dict[str, Any]:
    """The states of Python's, NumPy's and torch's generators as plain values and tensors."""
    numpy_state = np.random.get_state(legacy=False)
    assert isinstance(numpy_state, dict)
    return {
        "python": random.getstate(),
        "numpy": {**numpy_state, "state": {**numpy_state["state"], "key": numpy_state["state"]["key"].tolist()}},
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all(),
    }


def restore_random_state(state: dict[str, Any]) -> None:
    """Undo everything random since `random_state`."""
    random.setstate(state["python"])
    key = np.asarray(state["numpy"]["state"]["key"], dtype=np.uint32)
    np.random.set_state({**state["numpy"], "state": {**state["numpy"]["state"], "key": key}})
    torch.set_rng_state(state["torch"])
    torch.cuda.set_rng_state_all(state["cuda"])
