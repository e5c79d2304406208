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
    done = subprocess.run(
        command, env=environment | {"PYTHONPATH": str(HERE.parent.parent)}, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


@pytest.mark.slow
def test_this_cpu_gives_the_committed_bits() -> None:
    assert lines() == EXPECTED


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("qemu-x86_64") is None, reason="needs qemu-x86_64 of Debian's package qemu-user")
@pytest.mark.parametrize("cpu", ["Haswell", "EPYC"])
def test_another_cpu_gives_the_same_bits(cpu: str) -> None:
    words = ("--no-gather",)
    assert lines("qemu-x86_64", "-cpu", cpu, words=words) == lines(words=words)
