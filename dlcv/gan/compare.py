"""The stage `compare`: two models side by side, and whether their Fréchet distances differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from dlcv.evaluation.extractors.names import score_name
from dlcv.evaluation.metrics import frechet
from dlcv.figures import charts, grids
from dlcv.gan.tasks import METRICS, OUT, pair_of
from dlcv.runtime import tracking
from dlcv.runtime.config import Params
from dlcv.runtime.errors import UserError
from dlcv.runtime.files import read_json, replacing, write_json
from dlcv.runtime.nested import flatten


def run(name: str, params: Params) -> Path:
    """Compare the pair `name` of `gan.pairs`.

    Returns:
        The JSON of the difference; `pair.png`, their first images, and `frechet.png`, the distance
        over the steps of both, lie in `out/gan/NAME/`.

    Raises:
        UserError: no such pair, or a model of it that is not evaluated.
    """
    pair = pair_of(name, params)
    models: tuple[str, str] = (pair.a, pair.b)
    scored = [read_scores(model) for model in models]
    key = score_name(scored[0]["protocol"])
    a, b = (evaluated["scores"][key] for evaluated in scored)
    difference, low, high = frechet.difference(b["value"], b["left_out"], a["value"], a["left_out"])
    scores = {"a": pair.a, "b": pair.b, key: {"b_less_a": difference, "interval": {"low": low, "high": high}}}

    with replacing(OUT / name) as folder:
        folder.mkdir(parents=True)
        sheets: dict[str, Image.Image] = {model: Image.open(OUT / f"{model}-samples" / "grid.png") for model in models}
        grids.side_by_side(sheets).save(folder / "pair.png")
        over_steps = {}
        for model in models:
            table = pd.read_csv(OUT / f"{model}-evaluation" / "frechet.csv").set_index("step")
            over_steps[model] = {int(str(step)): float(value) for step, value in table["distance"].items()}
        charts.lines(folder / "frechet.png", over_steps, "updates of the generator", key.replace("_", " "), name)
    write_json(METRICS / f"{name}.json", scores)
    with tracking.run(f"compare-{name}", area="gan", params=pair.model_dump()) as tracked:
        tracked.scores({key: value for key, value in flatten(scores).items() if isinstance(value, float)})
        for figure in sorted((OUT / name).glob("*.png")):
            tracked.figure(figure)
    return METRICS / f"{name}.json"


def read_scores(model: str) -> dict[str, Any]:
    """The scores of an evaluated model, and their protocol."""
    path = METRICS / f"{model}.json"
    try:
        evaluated: dict[str, Any] = read_json(path)
        return {key: evaluated[key] for key in ("scores", "protocol")}
    except (FileNotFoundError, ValueError, KeyError):
        raise UserError(f"{path} holds no scores; `dvc repro stages/gan/dvc.yaml` makes it") from None
