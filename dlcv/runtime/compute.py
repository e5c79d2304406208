"""With what this process computes: the settings that `dlcv.engine.environment` has made, and the CPU.

Light to import, and read from the environment: provenance and tracking need no numpy and no torch for it.
"""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

PORTABLE = "DLCV_PORTABLE"  # "1" for arithmetic that gives the same bits on every x86-64 machine with AVX2
THREADS = "OMP_NUM_THREADS"
COMPILE = "DLCV_COMPILE"  # a mode of torch.compile, or "none"


def settings() -> dict[str, Any]:
    """`portable`, `threads` and `compile` of this process.

    The number of threads is None where nobody has set it: the library then takes all cores.
    """
    threads = os.environ.get(THREADS, "")
    return {
        "portable": os.environ.get(PORTABLE) == "1",
        "threads": int(threads) if threads.isdecimal() else None,
        "compile": os.environ.get(COMPILE, "none"),
    }


def cpu() -> str:
    """The model name of the CPU."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
