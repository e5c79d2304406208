"""Scores and figures in MLflow: in the row of the training that they are of, or in a run that summarises trainings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dlcv.runtime import tracking
from dlcv.runtime.files import read_json
from dlcv.runtime.nested import numbers
from dlcv.runtime.summaries import OUT

SUMMARIES = "summaries"  # the MLflow experiment of what is not of one training


def publish_training(
    about: Mapping[str, Any],
    area: str,
    scores: Mapping[str, Any],
    figures: Sequence[Path] = (),
    curve: Sequence[Mapping[str, float]] = (),
) -> None:
    """Add final scores to the row of a training.

    Args:
        about: `name` and `sha256` of the training, which the JSON beside its weights has.
        area: its MLflow experiment.
        scores: nested mappings become dotted names; only floating-point numbers are logged.
        figures: files that become artifacts.
        curve: scores over the steps of the training; each row has a `step`.
    """
    weights = OUT / area / about["name"] / "weights.json"
    params = about.get("params") or (read_json(weights)["params"] if weights.is_file() else {})
    training = tracking.Training(area, about["name"], about["sha256"], params)
    tracking.add_scores(training, numbers(scores), figures, curve)


def publish(
    name: str,
    params: Mapping[str, Any],
    scores: Mapping[str, Any],
    figures: Sequence[Path] = (),
    datasets: Sequence[tracking.Dataset] = (),
) -> None:
    """Log what is of several trainings, or of none, as a run of its own.

    Args:
        name: of the run, "gan summary" for example.
        params: the settings.
        scores: nested mappings become dotted names; only floating-point numbers are logged.
        figures: files that become artifacts.
        datasets: the data that were read.
    """
    with tracking.run(name, area=SUMMARIES, params=params, datasets=datasets) as run:
        run.scores(numbers(scores))
        for figure in figures:
            run.figure(figure)
