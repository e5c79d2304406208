"""The stage `summary`: scores over all trainings of each model, and the pairs of models that a report compares."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from dlcv.evaluation.extractors.names import score_name
from dlcv.evaluation.publish import publish
from dlcv.evaluation.summary import compare_distances, read_scores, summarise
from dlcv.figures import charts, grids
from dlcv.figures.listing import write_listing
from dlcv.gan.config import METRICS, OUT, SUMMARY, Gan, Pair, name_of
from dlcv.runtime.config import Params
from dlcv.runtime.files import replacing, write_json

CAPTIONS = {
    "images.png": "The first 32 images of each model, from the same latents.",
    "frechet.png": "Fréchet distance at each snapshot, from 500 images, or from as many as the table scores if fewer.",
}


def run(params: Params) -> Path:
    """Summarise the scores of all trainings, and compare the models of each pair.

    Returns:
        The JSON of scores and differences. For each pair, `out/gan-summary/PAIR/` has `images.png`, the first images of
        both models, and `frechet.png`, the distances of both over the steps; both are of the first seed.

    Raises:
        UserError: a training is not evaluated.
    """
    section = params[Gan]
    evaluated = {
        model: [read_scores(OUT / f"{name_of(model, seed)}-evaluation") for seed in section.seeds]
        for model in section.models
    }
    each = {model: [one["scores"] for one in trainings] for model, trainings in evaluated.items()}
    key = score_name(evaluated[section.models[0]][0]["protocol"])
    scores: dict[str, Any] = {
        "seeds": section.seeds,
        "models": {model: summarise(trainings) for model, trainings in each.items()},
        "pairs": {
            name: {
                "a": pair.a,
                "b": pair.b,
                key: compare_distances([one[key] for one in each[pair.a]], [one[key] for one in each[pair.b]]),
            }
            for name, pair in section.pairs.items()
        },
    }
    with replacing(SUMMARY) as folder:
        folder.mkdir(parents=True)
        for name, pair in section.pairs.items():
            draw(folder / name, name, pair, section.seeds[0], key)
    write_json(METRICS, scores)
    publish(
        "summary",
        area="gan",
        params={"seeds": section.seeds},
        scores=scores,
        figures=sorted((SUMMARY).rglob("*.png")),
    )
    return METRICS


def draw(folder: Path, name: str, pair: Pair, seed: int, score: str) -> None:
    """Write the figures of a pair, of the trainings with the seed `seed`."""
    folder.mkdir()
    trainings = {model: name_of(model, seed) for model in (pair.a, pair.b)}
    grids.side_by_side(
        {model: Image.open(OUT / f"{training}-samples" / "grid.png") for model, training in trainings.items()}
    ).save(folder / "images.png")
    charts.lines(
        folder / "frechet.png",
        {model: frechet_over_steps(training) for model, training in trainings.items()},
        "updates of the generator",
        score.replace("_", " "),
        name,
    )
    write_listing(folder, CAPTIONS, f"Stage `summary`, trainings `{'`, `'.join(trainings.values())}`")


def frechet_over_steps(name: str) -> dict[int, float]:
    """What the evaluation of the training `name` measured at each snapshot."""
    table = pd.read_csv(OUT / f"{name}-evaluation" / "frechet.csv")
    return dict(zip(table["step"].tolist(), table["distance"].tolist(), strict=True))
