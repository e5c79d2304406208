"""The stage `summary`: the scores of the VAE over all its trainings."""

from __future__ import annotations

from pathlib import Path

from dlcv.evaluation.publish import publish
from dlcv.evaluation.summary import read_scores, summarise
from dlcv.runtime.config import Params
from dlcv.runtime.files import write_json
from dlcv.vae.config import METRICS, OUT, Vae, name_of


def run(params: Params) -> Path:
    """Summarise the scores of all trainings.

    Returns:
        Their JSON.

    Raises:
        UserError: a training is not evaluated.
    """
    seeds = params[Vae].seeds
    evaluated = [read_scores(OUT / f"{name_of(seed)}-evaluation") for seed in seeds]
    each = [one["scores"] for one in evaluated]
    # Samples are new in each training; the probe predicts the attribute of the same images.
    probe = summarise([{"probe": scores["probe"]} for scores in each], same_images=True)
    scores = {"seeds": seeds, **summarise(each), **probe}
    write_json(METRICS, scores)
    publish("summary", area="vae", params={"seeds": seeds}, scores=scores)
    return METRICS
