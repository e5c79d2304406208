"""Scores and figures in MLflow: in a run of the evaluation, and in the runs of the trainings."""

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
        sha256: of the weights; it identifies the run.
        scores: nested mappings become dotted names; only floating-point numbers are logged.
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
    curve: Sequence[Mapping[str, float]] = (),
) -> None:
    """Log an evaluation.

    Args:
        name: of its run, "evaluate-sngan" for example.
        area: the MLflow experiment.
        params: the settings of the evaluation.
        scores: nested mappings become dotted names; only floating-point numbers are logged.
        figures: files that become artifacts.
        trainings: what to add to the runs of the trainings.
        curve: scores over the steps of a training; each row has a `step`.
        datasets: the data that the evaluation reads.
    """
    with tracking.run(name, area=area, params=params, datasets=datasets) as run:
        for row in curve:
            run.log({key: value for key, value in row.items() if key != "step"}, int(row["step"]))
        run.scores(numbers(scores))
        for figure in figures:
            run.figure(figure)
    for trained in trainings:
        tracking.add_scores(trained.sha256, numbers(trained.scores), trained.figures)
