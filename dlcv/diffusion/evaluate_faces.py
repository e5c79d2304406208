"""The stage `ddim evaluate`: the scores of the faces, a table over eta and the number of steps, and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from dlcv.data.batches import to_uint8
from dlcv.data.images import read_images
from dlcv.data.latents import normal, seeds_of
from dlcv.data.prepared import load_split
from dlcv.diffusion.config import FACES, FACES_OUT, FACES_REFERENCE, Ddim, faces_name
from dlcv.diffusion.faces import SHAPE, generate, generate_by_ddpm, load_model
from dlcv.diffusion.samplers import Model, spaced, times_of
from dlcv.diffusion.unet import UNet
from dlcv.engine.weights import origin
from dlcv.evaluation.config import Evaluation
from dlcv.evaluation.extractors.extractor import Extractor, load_extractor
from dlcv.evaluation.figures import beside_nearest
from dlcv.evaluation.metrics import frechet
from dlcv.evaluation.reference import Reference, load_reference
from dlcv.evaluation.scores import equal_count, face_score, protocol, score
from dlcv.figures import charts
from dlcv.figures.listing import made_by, write_listing
from dlcv.figures.prints import write_prints
from dlcv.runtime.config import Params
from dlcv.runtime.files import replacing, write_json
from dlcv.runtime.publish import publish_training

SIGMA_HAT = "sigma-hat"  # the row of DDPM with the variance beta
REAL = "real"  # the row of validation images

CAPTIONS = {
    "table.png": "The table above as curves.",
    "neighbours.png": "Generated images above their nearest training images in the features of the extractor.",
    "curve.png": "The weighted loss, the unweighted squared error of the prediction, and the norm of the gradient "
    "before clipping.",
}


def run(params: Params) -> Path:
    """Score the images of the training with the seed of `params`, and fill the table over eta and number of steps.

    Returns:
        The folder with `scores.json`, `table.csv` and figures.

    Raises:
        UserError: no images, no reference, or fewer images than are compared.
    """
    evaluation, section = params[Evaluation], params[Ddim]
    name = faces_name(params.seed)
    samples, out = (FACES_OUT / f"{name}-{stage}" for stage in ("samples", "evaluation"))
    model = load_model(FACES_OUT / name)
    images = read_images(samples / "images")
    extractor, reference = load_extractor(evaluation, evaluation.input_size.faces), load_reference(FACES_REFERENCE)
    scores = score(images, reference, evaluation, params.seed, extractor)
    count = min(section.table.images, equal_count(evaluation, reference))
    table = over_eta_and_steps(model, section, count, params.seed, extractor, reference)
    cells = as_nested(table)
    etas, steps = [eta_row(eta) for eta in section.table.etas], [str(steps) for steps in section.table.steps]

    with replacing(out) as folder:
        folder.mkdir(parents=True)
        sampled = table[table["row"] != REAL]
        sampled.to_csv(folder / "table.csv", index=False, float_format="%.6g")
        distance = extractor.score.replace("_", " ")
        charts.lines(folder / "table.png", over_steps(sampled), "steps", distance, f"{distance} of {count} images")
        training = load_split(FACES, "train").images
        beside_nearest(images[:8], extractor, reference, training).save(folder / "neighbours.png")
        charts.curves(
            folder / "curve.png",
            FACES_OUT / name / "curve.csv",
            f"{name}: training batches, means over the steps of a point",
            right=("gradient_norm",),
        )
        stage = f"stages/ddim/dvc.yaml:evaluate@{params.seed}"
        with torch.device("meta"):
            paper = UNet()  # of 64x64 images, as in the course
        write_prints(folder, {"at the report's width": {"network": paper}, "as trained": {"network": model.network}})
        write_listing(folder, CAPTIONS, made_by(stage, {name: model.about["fingerprint"]}))
        write_json(
            folder / "scores.json",
            {
                "scores": scores,
                "table": cells,
                "rows": [row for row in cells if row != REAL],
                "order": deviations_from_paper(cells, etas, steps),
                "interpolation": smoothness(pd.read_csv(samples / "interpolation.csv")),
                **origin(model.about),
                "protocol": {
                    **protocol(reference, evaluation, params.seed, extractor),
                    "sampler": {"name": "DDIM", **section.sampling.model_dump()},
                    "network_evaluations_per_image": len(times_of(section.sampling, model.schedule)),
                    "table_images": count,
                },
            },
        )
    figures = [*sorted(out.glob("*.png")), *sorted(samples.glob("*.png"))]
    publish_training(model.about, "ddim", scores, figures)
    return out


def over_eta_and_steps(
    model: Model, section: Ddim, count: int, seed: int, extractor: Extractor, reference: Reference
) -> pd.DataFrame:
    """Fréchet distance and face score of `count` images for each eta and number of steps, from the same noise.

    Returns:
        `row` ("eta 0.5", "sigma-hat"; last "real", the first `count` validation images), `steps`, `evaluations` of
        the network for an image, `distance`, `faces`, with the interval `faces_low`, `faces_high`.
    """
    table = section.table
    noise = normal(count, SHAPE, seed)
    seeds = seeds_of([f"{index:04d}" for index in range(count)], seed)
    times = {steps: spaced(table.spacing, steps, model.schedule.timesteps) for steps in table.steps}
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

    for eta in table.etas:
        for steps in table.steps:
            changes = {"eta": eta, "steps": steps, "spacing": table.spacing}
            sampling = section.sampling.model_copy(update=changes)
            images = to_uint8(generate(model, noise, seeds, sampling)).numpy()
            add(eta_row(eta), steps, len(times[steps]), images, extractor(images))
    for steps in table.steps if table.sigma_hat else ():
        images = to_uint8(generate_by_ddpm(model, noise, seeds, times[steps], section.sampling.clip_x0)).numpy()
        add(SIGMA_HAT, steps, len(times[steps]), images, extractor(images))
    assert reference.validation is not None
    add(REAL, 0, 0, load_split(FACES, "val").images[:count], reference.validation[:count])
    return pd.DataFrame(rows)


def eta_row(eta: float) -> str:
    """The label of a row of the table: "eta 0.5"."""
    return f"eta {eta:g}"


def over_steps(table: pd.DataFrame) -> dict[str, dict[int, float]]:
    """The distances of each row of the table by the number of steps."""
    return {
        str(row): {int(steps): float(value) for steps, value in zip(cells["steps"], cells["distance"], strict=True)}
        for row, cells in table.groupby("row", sort=False)
    }


def as_nested(table: pd.DataFrame) -> dict[str, Any]:
    """The table for `dvc metrics diff`: {"eta 0": {"10": {"distance": …}, …}, …, "real": {"distance": …}}."""
    nested: dict[str, Any] = {}
    for cell in table.to_dict("records"):
        values = {
            "distance": cell["distance"],
            "face_score": {
                "value": cell["faces"],
                "interval": {"low": cell["faces_low"], "high": cell["faces_high"]},
            },
        }
        if cell["row"] == REAL:
            nested[REAL] = values
        else:
            values["evaluations"] = cell["evaluations"]
            nested.setdefault(cell["row"], {})[str(cell["steps"])] = values
    return nested


def deviations_from_paper(table: Mapping[str, Any], etas: Sequence[str], steps: Sequence[str]) -> list[str]:
    """Where the order of the distances is not the paper's, in which they rise with eta and fall with the steps.

    Args:
        table: as of `as_nested`.
        etas: rows of the table, in the order of eta.
        steps: columns of the table, in the order of the number of steps.
    """
    found = []
    for count in steps:
        for low, high in pairwise(etas):
            if table[high][count]["distance"] < table[low][count]["distance"]:
                found.append(f"at {count} steps {high} is below {low}")
    for row in etas:
        for few, many in pairwise(steps):
            if table[row][many]["distance"] > table[row][few]["distance"]:
                found.append(f"at {row} {many} steps are above {few}")
    return found


def smoothness(table: pd.DataFrame) -> dict[str, dict[str, float]]:
    """How much the images change from step to step along each path of `interpolation.csv`.

    Returns:
        For each path: "mean_change" and "largest_change", on 0..255 squared, and "smallest_norm" of a latent.
    """
    return {
        str(path): {
            "mean_change": float(steps["change"].mean()),
            "largest_change": float(steps["change"].max()),
            "smallest_norm": float(steps["norm"].min()),
        }
        for path, steps in table.groupby("path")
    }
