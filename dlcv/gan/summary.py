"""The stage `summary`: scores over all trainings of each model, and the pairs of models that a report compares."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from PIL import Image

from dlcv.evaluation import headline
from dlcv.evaluation.extractors.names import score_name
from dlcv.evaluation.summary import compare_distances, read_scores, summarise, write_summary
from dlcv.figures import charts, grids, live
from dlcv.figures.listing import made_by, write_listing
from dlcv.gan.config import METRICS, OUT, SUMMARY, Gan, name_of
from dlcv.runtime.config import Params
from dlcv.runtime.files import replacing

CAPTIONS = {
    "images.png": "The first 32 images of each model, from the same latents.",
    "frechet.png": "Fréchet distance at each snapshot, from 500 images, or from as many as the table scores if fewer.",
}


def run(params: Params) -> Path:
    """Summarise the scores of all trainings, and compare the models of each pair.

    Returns:
        The JSON of scores and differences, in `out/gan-summary`. For each pair, the folder `PAIR/` there has
        `images.png`, the first images of both models, and `frechet.png`, the distances of both over the steps; both are
        of the first seed.

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
    scores = {
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
            draw(folder / name, name, {model: evaluated[model][0]["training"] for model in (pair.a, pair.b)}, key)
        headline.write(METRICS, folder, {model: headline.of_seeds(section.seeds, own) for model, own in each.items()})
    return write_summary(SUMMARY, "gan", section.seeds, scores, sorted(SUMMARY.rglob("*.png")))


def draw(folder: Path, name: str, trainings: Mapping[str, Mapping[str, str]], score: str) -> None:
    """Write the figures of the pair `name`.

    Args:
        trainings: name and fingerprint of the training of each model that is shown, by model.
        score: key of the Fréchet distance.
    """
    folder.mkdir()
    names = {model: training["name"] for model, training in trainings.items()}
    grids.side_by_side(
        {model: Image.open(OUT / f"{training}-samples" / "grid.png") for model, training in names.items()}
    ).save(folder / "images.png")
    live.within(folder / "images.png", "grid.png")  # of each model
    charts.lines(
        folder / "frechet.png",
        {model: frechet_over_steps(training) for model, training in names.items()},
        "updates of the generator",
        score.replace("_", " "),
        name,
    )
    fingerprints = {training["name"]: training["fingerprint"] for training in trainings.values()}
    write_listing(folder, CAPTIONS, made_by("summary", fingerprints))


def frechet_over_steps(name: str) -> dict[int, float]:
    """What the evaluation of the training `name` measured at each snapshot."""
    table = pd.read_csv(OUT / f"{name}-evaluation" / "frechet.csv")
    return dict(zip(table["step"].tolist(), table["distance"].tolist(), strict=True))
