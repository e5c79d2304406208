"""The stages `summary`: the scores of the diffusion models over all trainings of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlcv.diffusion.config import (
    DIGITS_METRICS,
    DIGITS_OUT,
    FACES_METRICS,
    FACES_OUT,
    Ddim,
    Diffusion,
    digits_name,
    faces_name,
)
from dlcv.evaluation.publish import publish
from dlcv.evaluation.summary import read_scores, summarise
from dlcv.runtime.config import Params
from dlcv.runtime.files import write_json


def faces(params: Params) -> Path:
    """Summarise the scores of all trainings of `ddim`.

    Returns:
        Their JSON.

    Raises:
        UserError: a training is not evaluated.
    """
    seeds = params[Ddim].seeds
    evaluated = [read_scores(FACES_OUT / f"{faces_name(seed)}-evaluation") for seed in seeds]
    scores = {"seeds": seeds, **summarise([one["scores"] for one in evaluated])}
    write_json(FACES_METRICS, scores)
    publish("summary", area="ddim", params={"seeds": seeds}, scores=scores)
    return FACES_METRICS


def digits(params: Params) -> Path:
    """Summarise the scores of all trainings of each model in `diffusion.models`.

    Returns:
        Their JSON.

    Raises:
        UserError: a training is not evaluated.
    """
    section = params[Diffusion]
    scores: dict[str, Any] = {"seeds": section.seeds, "models": {}}
    for model in section.models:
        evaluated = [read_scores(DIGITS_OUT / f"{digits_name(model, seed)}-evaluation") for seed in section.seeds]
        scores["models"][model] = summarise([one["scores"] for one in evaluated])
    write_json(DIGITS_METRICS, scores)
    publish("summary", area="diffusion", params={"seeds": section.seeds}, scores=scores)
    return DIGITS_METRICS
