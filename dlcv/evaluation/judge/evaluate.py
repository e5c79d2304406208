"""The stage `judge-evaluate`: the accuracy of every training of the judge on real validation images."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dlcv.data.prepared import load_split, read_card
from dlcv.engine.weights import training_of
from dlcv.evaluation import config, headline
from dlcv.evaluation.judge.network import load_judge
from dlcv.evaluation.metrics.classification import accuracy_by_digit
from dlcv.evaluation.summary import summarise
from dlcv.figures import charts
from dlcv.figures.listing import made_by, write_listing
from dlcv.runtime import summaries
from dlcv.runtime.config import Params
from dlcv.runtime.files import replacing, write_json
from dlcv.runtime.publish import publish_training

CAPTIONS = {
    "confusion.png": "What the judge predicts (columns) for real validation images of each digit (rows), in per cent.",
    "curve.png": "Loss and accuracy of the judge on its training batches.",
}


def run(params: Params) -> Path:
    """Score the trained judges into `out/evaluation/judge-evaluation`: `scores.json` and the figures are of the first.

    Returns:
        The JSON with the accuracy over all trainings.

    Raises:
        UserError: a training is missing, or no prepared MNIST-M.
    """
    seeds = params[config.Judge].seeds
    folders = [config.judge_folder(seed) for seed in seeds]
    validation = load_split(config.JUDGE_DIGITS, "val")
    judges = [load_judge(folder) for folder in folders]
    assert validation.labels is not None  # the training refuses digits without labels
    each = [accuracy_by_digit(validation.labels, judge(validation.images)) for judge in judges]
    judge, scores, summary = judges[0], each[0], {"seeds": seeds, **summarise(each, same_images=True)}
    card = read_card(config.JUDGE_DIGITS)
    with replacing(config.JUDGE_EVALUATION) as folder:
        charts.confusion(
            folder / "confusion.png",
            {"the judge on validation images": np.array(scores["confusion"])},
            f"{card['name']}: {card['played_by']}",
        )
        charts.curves(folder / "curve.png", folders[0] / "curve.csv", "judge: training batches")
        write_listing(folder, CAPTIONS, made_by("judge-evaluate", {f"judge/{seeds[0]}": judge.about["fingerprint"]}))
        write_json(
            folder / "scores.json",
            {
                **scores,
                "images": {"domain": config.JUDGE_DIGITS.name, "split": "val", "count": len(validation.images)},
                "training": training_of(judge.about),
            },
        )
        write_json(folder / summaries.FILE, summary)
        rows = {"judge": headline.of_seeds(seeds, each)}
        headline.write(config.JUDGE_METRICS, folder, rows, same_images=True)
    figures = sorted(config.JUDGE_EVALUATION.glob("*.png"))
    for one, own in zip(judges, each, strict=True):
        publish_training(one.about, "evaluation", own, figures if one is judge else ())
    return config.JUDGE_EVALUATION / summaries.FILE
