"""The stage `evaluate`: the scores of the images, those over eta and the number of steps, and the figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from dlcv.data.batches import to_uint8
from dlcv.data.prepared import load_split
from dlcv.ddim import noise as noises
from dlcv.ddim.model import BATCH, Model, generate, load_model
from dlcv.ddim.sections import Ddim
from dlcv.ddim.tasks import FACES, METRICS, NAME, OUT
from dlcv.diffusion.samplers import PerImage, ddpm, spaced
from dlcv.engine.weights import origin
from dlcv.evaluation.config import Evaluation
from dlcv.evaluation.extractors.extractor import Extractor, load_extractor
from dlcv.evaluation.figures import beside_nearest
from dlcv.evaluation.folder import read_images
from dlcv.evaluation.metrics import frechet
from dlcv.evaluation.reference import Reference, load_reference
from dlcv.evaluation.scores import equal_count, face_score, protocol, score
from dlcv.figures import charts
from dlcv.runtime import tracking
from dlcv.runtime.config import Params
from dlcv.runtime.files import replacing, write_json
from dlcv.runtime.nested import flatten

REFERENCE = Path("out/evaluation/faces")
SIGMA_HAT = "sigma-hat"  # the row of DDPM with the variance beta


def run(params: Params) -> Path:
    """Score the images, and fill the table over eta and steps.

    Returns:
        The JSON of the scores; figures and `table.csv` lie in `out/ddim/unet-evaluation/`.

    Raises:
        UserError: no images, no reference, or fewer images than are to be compared.
    """
    evaluation, section = params[Evaluation], params[Ddim]
    model = load_model(OUT / NAME)
    images = read_images(OUT / f"{NAME}-samples" / "images")
    extractor, reference = load_extractor(evaluation), load_reference(REFERENCE)
    scores = score(images, reference, evaluation, params.seed, extractor)
    count = min(section.table.images, equal_count(evaluation, reference))
    table = over_eta_and_steps(model, section, count, params.seed, extractor, reference)
    along = smoothness(pd.read_csv(OUT / f"{NAME}-samples" / "interpolation.csv"))

    with replacing(OUT / f"{NAME}-evaluation") as folder:
        folder.mkdir(parents=True)
        sampled = table[table["row"] != "real"]
        sampled.to_csv(folder / "table.csv", index=False, float_format="%.6g")
        series = {
            str(row): {int(steps): float(value) for steps, value in zip(part["steps"], part["distance"], strict=True)}
            for row, part in sampled.groupby("row", sort=False)
        }
        name = extractor.score.replace("_", " ")
        charts.lines(folder / "table.png", series, "steps", name, f"{name} of {count} images")
        beside_nearest(images[:8], extractor, reference, load_split(FACES, "train").images).save(
            folder / "neighbours.png"
        )
        charts.curves(
            folder / "curve.png",
            OUT / NAME / "curve.csv",
            f"{NAME}: training batches, means over the steps of a point",
            right=("gradient_norm",),
        )
    times = spaced(section.sampling.spacing, section.sampling.steps, model.schedule.timesteps)
    write_json(
        METRICS / f"{NAME}.json",
        {
            "model": NAME,
            "scores": scores,
            "table": as_nested(table),
            "interpolation": along,
            **origin(model.about),
            "protocol": {
                **protocol(reference, evaluation, params.seed, extractor),
                "sampler": {"name": "DDIM", **section.sampling.model_dump()},
                "network_evaluations_per_image": len(times),
                "table_images": count,
            },
        },
    )
    track(scores, table, model.about, params)
    return METRICS / f"{NAME}.json"


def over_eta_and_steps(
    model: Model, section: Ddim, count: int, seed: int, extractor: Extractor, reference: Reference
) -> pd.DataFrame:
    """Fréchet distance and face score of `count` images from the same noises in each cell, in the DDIM paper's order.

    Returns:
        `row` ("eta 0.5", "sigma-hat"; last "real", the first `count` validation images), `steps`, `evaluations` of
        the network for an image, `distance`, `faces`, with the interval `faces_low`, `faces_high`.
    """
    noise = noises.draw(count, seed)
    seeds = noises.seeds_of([f"{index:04d}" for index in range(count)], seed)
    rows = []

    def add(row: str, steps: int, evaluations: int, images: np.ndarray, features: np.ndarray) -> None:
        faces = face_score(images)
        rows.append(
            {
                "row": row,
                "steps": steps,
                "evaluations": evaluations,
                "distance": frechet.distance(frechet.statistics(features), reference.statistics),
                "faces": faces["value"],
                "faces_low": faces["interval"]["low"],
                "faces_high": faces["interval"]["high"],
            }
        )

    table = section.table
    times = {steps: spaced(table.spacing, steps, model.schedule.timesteps) for steps in table.steps}
    for eta in table.etas:
        for steps in table.steps:
            changes = {"eta": eta, "steps": steps, "spacing": table.spacing}
            sampling = section.sampling.model_copy(update=changes)
            images = to_uint8(generate(model, noise, seeds, sampling)).numpy()
            add(f"eta {eta:g}", steps, len(times[steps]), images, extractor(images))
    for steps in table.steps if table.sigma_hat else ():
        images = ancestral(model, noise, seeds, times[steps], section.sampling.clip_x0)
        add(SIGMA_HAT, steps, len(times[steps]), images, extractor(images))
    assert reference.validation is not None
    add("real", 0, 0, load_split(FACES, "val").images[:count], reference.validation[:count])
    return pd.DataFrame(rows)


def ancestral(model: Model, noise: Tensor, seeds: Sequence[int], times: Sequence[int], clip_x0: bool) -> np.ndarray:
    """Images, uint8 N x 64 x 64 x 3, by DDPM with the variance beta over `times`."""
    device = next(model.network.parameters()).device
    parts = []
    for start in range(0, len(noise), BATCH):
        drawn = ddpm(
            model.predict,
            noise[start : start + BATCH].to(device),
            model.schedule,
            times,
            "beta",
            clip_x0=clip_x0,
            draw=PerImage(seeds[start : start + BATCH]),
        )
        parts.append(to_uint8(drawn).numpy())
    return np.concatenate(parts)


def as_nested(table: pd.DataFrame) -> dict[str, Any]:
    """The table as `dvc metrics diff` shows it: {"eta 0": {"10": {"distance": …}}, …, "real": {"distance": …}}."""
    nested: dict[str, Any] = {}
    for cell in table.to_dict("records"):
        values = {
            "distance": cell["distance"],
            "face_score": {
                "value": cell["faces"],
                "interval": {"low": cell["faces_low"], "high": cell["faces_high"]},
            },
        }
        if cell["row"] == "real":
            nested["real"] = values
        else:
            values["evaluations"] = cell["evaluations"]
            nested.setdefault(cell["row"], {})[str(cell["steps"])] = values
    return nested


def smoothness(table: pd.DataFrame) -> dict[str, dict[str, float]]:
    """How much images change between neighbours on the way from one noise to another, on 0..255 squared.

    Returns:
        For each path: "mean" and "largest" change, and the smallest "norm" of a latent.
    """
    return {
        str(path): {
            "mean_change": float(part["change"].mean()),
            "largest_change": float(part["change"].max()),
            "smallest_norm": float(part["norm"].min()),
        }
        for path, part in table.groupby("path")
    }


def track(scores: dict[str, Any], table: pd.DataFrame, about: dict[str, Any], params: Params) -> None:
    """Show scores and figures in MLflow: in a run of the evaluation, and in the run that made the weights."""
    values = {name: value for name, value in flatten(scores).items() if isinstance(value, float)}
    cells = {name: value for name, value in flatten(as_nested(table)).items() if isinstance(value, float)}
    figures = [*sorted((OUT / f"{NAME}-evaluation").glob("*.png")), *sorted((OUT / f"{NAME}-samples").glob("*.png"))]
    settings = {"evaluation": params[Evaluation].model_dump(), "sampling": params[Ddim].sampling.model_dump()}
    with tracking.run(f"evaluate-{NAME}", area="ddim", params=settings) as tracked:
        tracked.scores(values | {f"table.{name}": value for name, value in cells.items()})
        for figure in figures:
            tracked.figure(figure)
    tracking.add_scores(about["sha256"], values, figures)
