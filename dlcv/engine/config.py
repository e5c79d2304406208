"""The section `compute` of params.yaml."""

from __future__ import annotations

from typing import Literal

from dlcv.runtime.config import Section
from dlcv.runtime.fields import Positive


class Compute(Section):
    """How every stage but those of data computes."""

    portable: bool  # on the CPU: the same bits on every x86-64 machine with AVX2
    threads: Positive  # of a stage on the CPU; another number gives other bits
    compile: Literal["none", "default", "reduce-overhead"]  # of torch.compile, for trainings on a GPU


SECTIONS = {"compute": Compute}
