"""The GPUs of this machine, without torch: how many there are, and which one a process uses."""

from __future__ import annotations

import math
import os
import re
import shutil
import subprocess
import sys
from itertools import takewhile

from dlcv.runtime.errors import UserError

VISIBLE = "CUDA_VISIBLE_DEVICES"  # read by CUDA when a process first uses it
ACCELERATE_CPU = "ACCELERATE_USE_CPU"  # on a Mac, accelerate would take the GPU of Apple


def gpus() -> list[str]:
    """The NVIDIA GPUs that processes may use, as `CUDA_VISIBLE_DEVICES` names them."""
    if shutil.which("nvidia-smi") is None:
        return []
    query = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    found = subprocess.run(query, capture_output=True, text=True, check=False)
    there = found.stdout.split() if found.returncode == 0 else []
    visible = os.environ.get(VISIBLE)
    if visible is None or not there:
        return there
    # CUDA ignores what follows a negative number: -1 hides all.
    named = [gpu.strip() for gpu in visible.split(",")]
    return list(takewhile(lambda gpu: gpu != "" and not gpu.startswith("-"), named))


def memory() -> dict[str, float]:
    """The bytes of each of `gpus`; infinity where the driver does not say."""
    found = {}
    for gpu in gpus():
        query = ["nvidia-smi", f"--id={gpu}", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
        answer = subprocess.run(query, capture_output=True, text=True, check=False).stdout.strip()
        found[gpu] = float(answer) * 2**20 if answer.isdecimal() else math.inf
    return found


def join_others() -> None:
    """Where torchrun or `accelerate launch` has started several of this process: train together, and print once."""
    if os.environ.get("WORLD_SIZE", "1") == "1":
        return
    if not gpus():
        os.environ.setdefault(ACCELERATE_CPU, "true")  # or else accelerate lets each of them train for itself
    if os.environ.get("RANK", "0") != "0":
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, until the process ends


def use(device: str) -> None:
    """Let this process and those that it starts compute on `device`: "cpu", "cuda" (all GPUs), or "cuda:1".

    Raises:
        UserError: another name, or a GPU that is not there.
    """
    match = re.fullmatch(r"cpu|cuda(?::(\d+))?", device)
    if match is None:
        raise UserError(f"--device {device}: give cpu, cuda or cuda:N, the number of a GPU")
    if device == "cpu":
        os.environ |= {VISIBLE: "", ACCELERATE_CPU: "true"}
        return
    there = gpus()
    number = int(match[1]) if match[1] else None
    if len(there) <= (number or 0):
        count = f"the GPUs here are 0 to {len(there) - 1}" if there else "there is no NVIDIA GPU here"
        raise UserError(f"--device {device}: {count}; give another, or cpu")
    if number is not None:
        os.environ[VISIBLE] = there[number]
