"""The stage `evaluate`: the scores of one model's images, over its training too, and its figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from dlcv.data.prepared import load_split
from dlcv.engine.weights import load_state, origin, read_about, snapshots_of
from dlcv.evaluation.config import Evaluation
from dlcv.evaluation.extractors.extractor import Extractor, load_extractor
from dlcv.evaluation.figures import beside_nearest
from dlcv.evaluation.folder import read_images
from dlcv.evaluation.metrics import frechet
from dlcv.evaluation.reference import Reference, load_reference
from dlcv.evaluation.scores import equal_count, protocol, score
from dlcv.figures import charts
from dlcv.gan.networks import latents
from dlcv.gan.sample import generate, load_generator
from dlcv.gan.tasks import FACES, METRICS, OUT
from dlcv.runtime import tracking
from dlcv.runtime.config import Params
from dlcv.runtime.files import replacing, write_json
from dlcv.runtime.nested import flatten

REFERENCE = Path("out/evaluation/faces")
CURVE_IMAGES = 500  # at most, of each snapshot: features are what a score costs, and a curve needs the order alone


def run(model: str, params: Params) -> Path:
    """Score the images of `model`.

    Returns:
        The JSON of its scores; figures lie in `out/gan/MODEL-evaluation/`.

    Raises:
        UserError: no images, no reference, or fewer images than are to be compared.
    """
    section = params[Evaluation]
    about = read_about(OUT / model)
    images = read_images(OUT / f"{model}-samples" / "images")
    extractor, reference = load_extractor(section), load_reference(REFERENCE)
    scores = score(images, reference, section, params.seed, extractor)
    over_steps = frechet_over_steps(model, extractor, reference, section, params.seed)

    with replacing(OUT / f"{model}-evaluation") as folder:
        folder.mkdir(parents=True)
        table = pd.DataFrame({"step": list(over_steps), "distance": list(over_steps.values())})
        table.to_csv(folder / "frechet.csv", index=False, float_format="%.6g")
        beside_nearest(images[:8], extractor, reference, load_split(FACES, "train").images).save(
            folder / "neighbours.png"
        )
        charts.curves(
            folder / "curve.png",
            OUT / model / "curve.csv",
            f"{model}: training batches, means over the steps of a point",
            right=("d_real", "d_fake"),
            labels={"d_real": "D(x)", "d_fake": "D(G(z))"},
        )
    write_json(
        METRICS / f"{model}.json",
        {
            "model": model,
            "scores": scores,
            **origin(about),
            "protocol": {
                **protocol(reference, section, params.seed, extractor),
                "network_evaluations_per_image": 1,
                "curve_images": curve_count(section, reference),
            },
        },
    )
    track(model, scores, about, section)
    return METRICS / f"{model}.json"


def curve_count(section: Evaluation, reference: Reference) -> int:
    """How many images of each snapshot are scored."""
    return min(CURVE_IMAGES, equal_count(section, reference))


def frechet_over_steps(
    model: str, extractor: Extractor, reference: Reference, section: Evaluation, seed: int
) -> dict[int, float]:
    """The Fréchet distance at every snapshot of the training, from the same latents at each."""
    generator, _ = load_generator(OUT / model, model)
    noise = latents(curve_count(section, reference), seed)
    distances = {}
    for step, path in snapshots_of(OUT / model).items():
        load_state(path, generator)
        features = extractor(generate(generator, noise))
        distances[step] = frechet.distance(frechet.statistics(features), reference.statistics)
    return distances


def track(model: str, scores: dict[str, Any], about: dict[str, Any], section: Evaluation) -> None:
    """Show scores and figures in MLflow: in a run of the evaluation, and in the run that made the weights."""
    values = {name: value for name, value in flatten(scores).items() if isinstance(value, float)}
    figures = [*sorted((OUT / f"{model}-evaluation").glob("*.png")), *sorted((OUT / f"{model}-samples").glob("*.png"))]
    with tracking.run(f"evaluate-{model}", area="gan", params=section.model_dump()) as tracked:
        tracked.scores(values)
        for figure in figures:
            tracked.figure(figure)
    tracking.add_scores(about["sha256"], values, figures)
