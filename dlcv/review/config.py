"""Parameters of `dlcv review`."""

from __future__ import annotations

from dlcv.runtime.config import Section
from dlcv.runtime.fields import PositiveFloat


class Review(Section):
    """Which scores must not get worse, and how much a score varies from training to training."""

    guard: list[str]
    training_std: dict[str, dict[str, PositiveFloat]]


SECTIONS = {"review": Review}
