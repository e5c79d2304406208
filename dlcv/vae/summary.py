"""The stage `summary`: the scores of the VAE over all its trainings."""

from __future__ import annotations

from pathlib import Path

from dlcv.evaluation import headline
from dlcv.evaluation.summary import read_scores, summarise, write_summary
from dlcv.runtime.config import Params
from dlcv.vae.config import METRICS, OUT, SUMMARY, Vae, name_of


def run(params: Params) -> Path:
    """Summarise the scores of all trainings.

    Returns:
        Their JSON.

    Raises:
        UserError: a training is not evaluated.
    """
    seeds = params[Vae].seeds
    each = [read_scores(OUT / f"{name_of(seed)}-evaluation")["scores"] for seed in seeds]
    # Samples are new in each training; the probe predicts the attribute of the same images.
    probe = summarise([{"probe": scores["probe"]} for scores in each], same_images=True)
    summary = {**summarise(each), **probe}
    own = headline.of_seeds(seeds, [{**one["samples"], "mse": {"value": one["validation"]["mse"]}} for one in each])
    headline.write(METRICS, SUMMARY, {"vae": own})
    return write_summary(SUMMARY, "vae", seeds, summary)
