"""The lines of `bits.py` on this CPU and on two that qemu plays, against the committed ones."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
EXPECTED = (HERE / "expected.txt").read_text().splitlines()


def lines(*emulator: str, words: tuple[str, ...] = ()) -> list[str]:
    """What `bits.py` prints in a new process, without variables that this process has set."""
    ours = ("_NUM_THREADS", "ATEN_", "MKL_", "ONEDNN_", "OPENBLAS_", "NPY_", "DLCV_PORTABLE")
    environment = {name: value for name, value in os.environ.items() if not any(part in name for part in ours)}
    command = [*emulator, sys.executable, str(HERE / "bits.py"), *words]
    done = subprocess.run(command, env=environment | {"PYTHONPATH": str(HERE.parent.parent)}, stdout=subprocess.PIPE)
    assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}; what it wrote stands above"
    return done.stdout.decode().splitlines()


@pytest.mark.slow
def test_this_cpu_gives_the_committed_bits() -> None:
    assert lines() == EXPECTED


@pytest.mark.slow
@pytest.mark.skipif("DLCV_QEMU" not in os.environ, reason="takes half an hour; DLCV_QEMU=1 runs it")
@pytest.mark.parametrize("cpu", ["Haswell", "EPYC"])
def test_another_cpu_gives_the_same_bits(cpu: str) -> None:
    assert shutil.which("qemu-x86_64"), "needs qemu-x86_64 of Debian's package qemu-user"
    words = ("--no-gather",)
    assert lines("qemu-x86_64", "-cpu", cpu, words=words) == lines(words=words)
