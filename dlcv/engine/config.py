"""The section `compute` of params.yaml."""

from __future__ import annotations

from dlcv.runtime.config import Section
from dlcv.runtime.fields import Positive


class Compute(Section):
    """How every stage but those of data computes on the CPU."""

    portable: bool  # the same bits on every x86-64 machine with AVX2
    threads: Positive  # of a stage; another number gives other bits


SECTIONS = {"compute": Compute}
