"""The plots and artifacts of an area, which its `config.py` declares for DVC.

DVC's `plots` and `artifacts` have no loops, so `dlcv pipeline` writes one entry for each model (`dlcv/pipeline.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Plot:
    """A chart of columns of CSV files.

    Attributes:
        title: of the chart, unique in its area.
        y: the column or columns of each file.
        x: the column of the x axis, in every file.
        template: DVC's name of the kind of chart; None for lines.
    """

    title: str
    y: Mapping[Path, str | Sequence[str]]
    x: str = "step"
    template: str | None = None


@dataclass(frozen=True)
class Artifact:
    """A trained model.

    Attributes:
        name: letters, digits and hyphens, unique in its area.
        path: folder with its weights.
        description: one phrase.
    """

    name: str
    path: Path
    description: str


@dataclass(frozen=True)
class Outputs:
    """The plots and artifacts of one area, and the figures that `dvc plots diff` shows side by side."""

    plots: Sequence[Plot] = field(default_factory=list)
    artifacts: Sequence[Artifact] = field(default_factory=list)
    images: Sequence[Path] = field(default_factory=list)
