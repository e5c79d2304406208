"""The environment variables that decide how NumPy, SciPy and torch compute.

The libraries read them when they are imported or first called, so the command sets them before it imports an area. This
module imports none of them. `docs/portability.md` says why each variable is needed.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from dlcv.runtime.compute import COMPILE, PORTABLE, THREADS

# The instructions and orders of summation that every x86-64 machine with AVX2 has, whoever made it.
VARIABLES = {
    "ATEN_CPU_CAPABILITY": "avx2",  # torch's own kernels
    "ONEDNN_MAX_CPU_ISA": "AVX2",  # convolutions
    "MKL_CBWR": "COMPATIBLE",  # matrix products inside torch; MKL's AVX2 branch differs between Intel and AMD
    "OPENBLAS_CORETYPE": "Haswell",  # matrix products and decompositions of NumPy and SciPy
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",  # NumPy's functions: the names of NumPy 2.4
}


def prepare(portable: bool, threads: int, compile: str = "none") -> None:
    """Set the variables of this process and its children. Values that the user has set are replaced.

    They decide the bits of the results, so params.yaml decides them, as it decides everything else.
    """
    for name in (THREADS, "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)
    os.environ[PORTABLE] = str(int(portable))
    os.environ[COMPILE] = compile
    if portable:
        os.environ.update(VARIABLES)


def prepare_from(path: Path) -> None:
    """`prepare` with the section `compute` of the file `path`, or portable with one thread where it has none.

    What is wrong with the file is found and reported when it is loaded.
    """
    try:
        section: Any = YAML(typ="safe").load(path.read_text(encoding="utf-8"))["compute"]
        settings = bool(section["portable"]), max(1, int(section["threads"])), str(section["compile"])
    except (OSError, UnicodeDecodeError, YAMLError, LookupError, TypeError, ValueError):
        settings = True, 1, "none"
    prepare(*settings)
