"""The stages `summary`: the scores of the diffusion models over all trainings of each."""

from __future__ import annotations

from pathlib import Path

from dlcv.diffusion.config import (
    DIGITS_METRICS,
    DIGITS_OUT,
    DIGITS_SUMMARY,
    FACES_METRICS,
    FACES_OUT,
    FACES_SUMMARY,
    Ddim,
    Diffusion,
    digits_name,
    faces_name,
)
from dlcv.evaluation import headline
from dlcv.evaluation.summary import read_scores, summarise, write_summary
from dlcv.runtime.config import Params


def faces(params: Params) -> Path:
    """Summarise the scores of all trainings of `ddim`.

    Returns:
        Their JSON.

    Raises:
        UserError: a training is not evaluated.
    """
    seeds = params[Ddim].seeds
    each = [read_scores(FACES_OUT / f"{faces_name(seed)}-evaluation")["scores"] for seed in seeds]
    summary = summarise(each)
    headline.write(FACES_METRICS, FACES_SUMMARY, {"unet": headline.of_seeds(seeds, each)})
    return write_summary(FACES_SUMMARY, "ddim", seeds, summary)


def digits(params: Params) -> Path:
    """Summarise the scores of all trainings of each model in `diffusion.models`.

    Returns:
        Their JSON.

    Raises:
        UserError: a training is not evaluated.
    """
    section = params[Diffusion]
    each = {
        model: [read_scores(DIGITS_OUT / f"{digits_name(model, seed)}-evaluation")["scores"] for seed in section.seeds]
        for model in section.models
    }
    models = {model: summarise(trainings) for model, trainings in each.items()}
    rows = {model: headline.of_seeds(section.seeds, trainings) for model, trainings in each.items()}
    headline.write(DIGITS_METRICS, DIGITS_SUMMARY, rows)
    return write_summary(DIGITS_SUMMARY, "diffusion", section.seeds, {"models": models})
