"""The stage `judge-evaluate`: the accuracy of the judge on real validation images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dlcv.data.prepared import Split, load_split, read_card
from dlcv.engine.weights import training_of
from dlcv.evaluation import config
from dlcv.evaluation.judge.network import Judge, load_judge
from dlcv.evaluation.metrics.classification import accuracy_by_digit
from dlcv.evaluation.publish import Trained, publish
from dlcv.figures import charts
from dlcv.figures.listing import write_listing
from dlcv.runtime.config import Params
from dlcv.runtime.files import replacing, write_json

CAPTIONS = {
    "confusion.png": "What the judge predicts (columns) for real validation images of each digit (rows), in per cent.",
    "curve.png": "Loss and accuracy of the judge on its training batches.",
}


def run(params: Params) -> Path:
    """Score the trained judge; the figures are in `out/evaluation/judge-evaluation`.

    Returns:
        The JSON with its accuracy.

    Raises:
        UserError: no trained judge, or no prepared MNIST-M.
    """
    judge = load_judge(config.JUDGE)
    scores = scores_of(judge, load_split(config.JUDGE_DIGITS, "val"))
    card = read_card(config.JUDGE_DIGITS)
    with replacing(config.JUDGE_EVALUATION) as folder:
        charts.confusion(
            folder / "confusion.png",
            {"the judge on validation images": np.array(scores["confusion"])},
            f"{card['name']}: {card['played_by']}",
        )
        charts.curves(folder / "curve.png", config.JUDGE / "curve.csv", "judge: training batches")
        of = f"Stage `judge-evaluate`, training `judge` `{judge.about['fingerprint'][:12]}`"
        write_listing(folder, CAPTIONS, of)
    write_json(config.JUDGE_METRICS, scores)
    figures = sorted(config.JUDGE_EVALUATION.glob("*.png"))
    publish(
        "evaluate-judge",
        area="evaluation",
        params=params[config.Judge].model_dump(),
        scores=scores,
        figures=figures,
        trainings=[Trained(judge.about["sha256"], scores, figures)],
    )
    return config.JUDGE_METRICS


def scores_of(judge: Judge, validation: Split) -> dict[str, Any]:
    """Accuracy of the judge on validation images, which it was not trained on."""
    assert validation.labels is not None  # the training refuses digits without labels
    predictions = judge(validation.images)
    return {
        "judge": "a network of its own, trained on real training images",
        **accuracy_by_digit(validation.labels, predictions),
        "images": {"domain": config.JUDGE_DIGITS.name, "split": "val", "count": len(predictions)},
        "training": training_of(judge.about),
    }
