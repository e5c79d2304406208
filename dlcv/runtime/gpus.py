"""Which stages run on which GPU, by the memory that they need."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from dlcv.runtime import devices
from dlcv.runtime.errors import UserError
from dlcv.runtime.files import sha256, write_json

MEASURED = Path(".dvc/tmp/dlcv-memory.json")
OTHERS = 4e9  # bytes of a stage that trains nothing: its batches have the same size in every study
CONTEXT = 1e9  # bytes of a process on a GPU beside its tensors
FRAGMENTS = 1.2  # memory that the allocator holds for each byte in use


@dataclass
class Gpus:
    """The GPUs of this machine with the stages that run on them.

    Attributes:
        memory: bytes of each GPU, by its name in `CUDA_VISIBLE_DEVICES`.
        needs: bytes of each stage; None if the memory is not looked at.
        running: by GPU, the bytes of each running stage.
    """

    memory: dict[str, float]
    needs: dict[str, float] | None = None
    running: dict[str, dict[str, float]] = field(init=False)

    def __post_init__(self) -> None:
        self.running = {gpu: {} for gpu in self.memory}

    def place(self, stage: str) -> str | None:
        """Take a place for `stage` on the GPU with the most free memory, or, without `needs`, the fewest stages.

        A stage that is too large for any GPU gets an empty one.

        Returns:
            The GPU; "" on a machine without one; None if the stage has to wait for another one to end.
        """
        if not self.memory:
            return ""
        if self.needs is None:
            gpu, need = min(self.running, key=lambda gpu: len(self.running[gpu])), 0.0
        else:
            need = self.needs.get(stage, OTHERS) * FRAGMENTS + CONTEXT
            free = {gpu: self.memory[gpu] - sum(stages.values()) for gpu, stages in self.running.items()}
            gpu = max(free, key=free.__getitem__)
            if free[gpu] < need and self.running[gpu]:
                return None
        self.running[gpu][stage] = need
        return gpu

    def leave(self, stage: str) -> None:
        """Give the place of `stage` back."""
        for stages in self.running.values():
            stages.pop(stage, None)


def needed(params: Path, measured: Path = MEASURED) -> dict[str, float]:
    """The bytes that each training of the file `params` needs, on a GPU if there is one, by the address of its stage.

    A few steps of each training are measured, once for every `params`; this takes minutes.

    Raises:
        UserError: the measurement failed.
    """
    digest = sha256(params)
    if measured.is_file():
        known = json.loads(measured.read_text(encoding="utf-8"))
        if known["params"] == digest:
            found: dict[str, float] = known["bytes"]
            return found
    print("dlcv: measuring the memory of each training", file=sys.stderr, flush=True)
    # A process of its own, whose memory on the GPU is free again afterwards.
    command = [sys.executable, "-m", "dlcv", "doctor", "--memory"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise UserError("the memory of the trainings cannot be measured; give --jobs, the stages at a time")
    found = json.loads(done.stdout)
    write_json(measured, {"params": digest, "bytes": found})
    return found


def shared() -> Gpus:
    """The GPUs of this machine, shared by as many stages as fit into their memory."""
    memory = devices.memory()
    return Gpus(memory, needed(Path("params.yaml")) if memory else None)
