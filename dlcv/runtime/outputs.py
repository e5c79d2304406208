"""What an area's trainings show in `dvc plots` and offer as artifacts; declared in its `config.py`.

DVC has no loop there, so `dlcv pipeline` writes the entries out (`dlcv/pipeline.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Plot:
    """Columns of CSV files in one chart.

    Attributes:
        title: of the chart, unique in its area.
        y: column, or columns, of each file.
        x: column of every file.
        template: of DVC; None for lines.
    """

    title: str
    y: Mapping[Path, str | Sequence[str]]
    x: str = "step"
    template: str | None = None


@dataclass(frozen=True)
class Artifact:
    """The folder of a trained model.

    Attributes:
        name: letters, digits and hyphens, unique in its area.
        description: what the model is.
    """

    name: str
    path: Path
    description: str


@dataclass(frozen=True)
class Outputs:
    """The plots and artifacts of one area."""

    plots: Sequence[Plot] = field(default_factory=list)
    artifacts: Sequence[Artifact] = field(default_factory=list)
