"""Scores and figures to MLflow: in a run of the evaluation, and in the runs that trained the weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcv.runtime import tracking
from dlcv.runtime.nested import numbers


@dataclass(frozen=True)
class Trained:
    """What an evaluation adds to the run of a training.

    Attributes:
        sha256: of the weights, by which the run is found.
        scores: nested mappings become dotted names; what is no floating-point number is left out.
    """

    sha256: str
    scores: Mapping[str, Any]
    figures: Sequence[Path] = ()


def publish(
    name: str,
    *,
    area: str,
    params: Mapping[str, Any],
    scores: Mapping[str, Any],
    figures: Sequence[Path] = (),
    trainings: Sequence[Trained] = (),
    datasets: Sequence[tracking.Dataset] = (),
) -> None:
    """Log an evaluation.

    Args:
        name: of its run, "evaluate-sngan" for example.
        area: the MLflow experiment.
        params: the settings of the evaluation.
        scores: nested mappings become dotted names; what is no floating-point number is left out.
        figures: files to keep among the artifacts.
        trainings: what to add to the runs of the trainings.
    """
    with tracking.run(name, area=area, params=params, datasets=datasets) as run:
        run.scores(numbers(scores))
        for figure in figures:
            run.figure(figure)
    for trained in trainings:
        tracking.add_scores(trained.sha256, numbers(trained.scores), trained.figures)
