"""The stage `compare`: two models side by side, and whether their Fréchet distances differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from dlcv.evaluation.extractors.names import score_name
from dlcv.evaluation.metrics import frechet
from dlcv.evaluation.publish import publish
from dlcv.figures import charts, grids
from dlcv.figures.listing import write_listing
from dlcv.gan.config import METRICS, OUT, pair_of
from dlcv.runtime.config import Params
from dlcv.runtime.errors import UserError
from dlcv.runtime.files import read_json, replacing, write_json

CAPTIONS = {
    "pair.png": "The first 32 images of each model, from the same latents.",
    "frechet.png": "Fréchet distance at each snapshot, from 500 images, or from as many as the table scores if fewer.",
}


def run(name: str, params: Params) -> Path:
    """Compare the pair `name` of `gan.pairs`.

    Returns:
        The JSON of the difference. The figures are in `out/gan/NAME/`: `pair.png`, the first images of both models,
        and `frechet.png`, the distances of both over the steps.

    Raises:
        UserError: no such pair, or one of its models is not evaluated.
    """
    pair = pair_of(name, params)
    evaluated = {model: read_scores(model) for model in (pair.a, pair.b)}
    key = score_name(evaluated[pair.a]["protocol"])
    a, b = (evaluated[model]["scores"][key] for model in (pair.a, pair.b))
    difference, low, high = frechet.difference(b["value"], b["left_out"], a["value"], a["left_out"])
    scores = {"a": pair.a, "b": pair.b, key: {"b_less_a": difference, "interval": {"low": low, "high": high}}}

    with replacing(OUT / name) as folder:
        folder.mkdir(parents=True)
        grids.side_by_side({model: Image.open(OUT / f"{model}-samples" / "grid.png") for model in evaluated}).save(
            folder / "pair.png"
        )
        charts.lines(
            folder / "frechet.png",
            {model: frechet_over_steps(model) for model in evaluated},
            "updates of the generator",
            key.replace("_", " "),
            name,
        )
        trainings = [f"`{model}` `{of['training']['fingerprint'][:12]}`" for model, of in evaluated.items()]
        write_listing(folder, CAPTIONS, f"Stage `compare@{name}`, trainings {', '.join(trainings)}")
    write_json(METRICS / f"{name}.json", scores)
    publish(
        f"compare-{name}",
        area="gan",
        params=pair.model_dump(),
        scores=scores,
        figures=sorted((OUT / name).glob("*.png")),
    )
    return METRICS / f"{name}.json"


def read_scores(model: str) -> dict[str, Any]:
    """Scores, protocol and training of an evaluated model.

    Raises:
        UserError: it is not evaluated.
    """
    path = METRICS / f"{model}.json"
    try:
        evaluated: dict[str, Any] = read_json(path)
        return {key: evaluated[key] for key in ("scores", "protocol", "training")}
    except (FileNotFoundError, ValueError, KeyError):
        raise UserError(f"{path} has no scores; run `dvc repro stages/gan/dvc.yaml`") from None


def frechet_over_steps(model: str) -> dict[int, float]:
    """What the evaluation of `model` measured at each snapshot."""
    table = pd.read_csv(OUT / f"{model}-evaluation" / "frechet.csv")
    return dict(zip(table["step"].tolist(), table["distance"].tolist(), strict=True))
