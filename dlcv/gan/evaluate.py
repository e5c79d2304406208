"""The stage `evaluate`: scores of a model's images, the Fréchet distance over its training, and figures."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from dlcv.data.images import read_images
from dlcv.data.latents import normal
from dlcv.data.prepared import load_split
from dlcv.engine.weights import load_state, origin, read_about, snapshots_of
from dlcv.evaluation.config import Evaluation
from dlcv.evaluation.extractors.extractor import Extractor, load_extractor
from dlcv.evaluation.figures import beside_nearest
from dlcv.evaluation.metrics import frechet
from dlcv.evaluation.reference import Reference, load_reference
from dlcv.evaluation.scores import equal_count, protocol, score
from dlcv.figures import charts
from dlcv.figures.listing import made_by, write_listing
from dlcv.figures.prints import write_prints
from dlcv.gan.config import FACES, OUT, name_of
from dlcv.gan.networks import LATENT, build
from dlcv.gan.sample import generate, load_generator
from dlcv.runtime.config import Params
from dlcv.runtime.files import replacing, write_json
from dlcv.runtime.publish import publish_training

REFERENCE = Path("out/evaluation/faces")
CURVE_IMAGES = 500  # maximum for each snapshot: features are slow to compute, and a curve shows only the trend
CAPTIONS = {
    "curve.png": "Losses of generator and discriminator. D(x) and D(G(z)) are the discriminator's mean outputs for "
    "real and for generated images: probabilities, or the logits of a critic. Diversity is the mean standard deviation "
    "over the images of a batch.",
    "neighbours.png": "Generated images above their nearest training images in the extractor's features.",
}


def run(model: str, params: Params) -> Path:
    """Score the images of the training of `model` with the seed of `params`.

    Returns:
        The folder with `scores.json`, `frechet.csv` and figures.

    Raises:
        UserError: no images, no reference, or fewer images than are scored.
    """
    section, name = params[Evaluation], name_of(model, params.seed)
    about = read_about(OUT / name)
    images = read_images(OUT / f"{name}-samples" / "images")
    extractor, reference = load_extractor(section, section.input_size.faces), load_reference(REFERENCE)
    scores = score(images, reference, section, params.seed, extractor)
    curve_images = min(CURVE_IMAGES, equal_count(section, reference))
    over_steps = frechet_over_steps(name, model, curve_images, params.seed, extractor, reference)

    out = OUT / f"{name}-evaluation"
    with replacing(out) as folder:
        folder.mkdir(parents=True)
        over_steps.to_csv(folder / "frechet.csv", index=False, float_format="%.6g")
        beside_nearest(images[:8], extractor, reference, load_split(FACES, "train").images).save(
            folder / "neighbours.png"
        )
        charts.curves(
            folder / "curve.png",
            OUT / name / "curve.csv",
            f"{name}: training batches, means over the steps of a point",
            right=("d_real", "d_fake"),
            labels={"d_real": "D(x)", "d_fake": "D(G(z))"},
        )
        whole = build(about["architecture"], 1, 1, init_std=0.02)
        write_prints(folder, {"at the report's width": dict(zip(("generator", "discriminator"), whole, strict=True))})
        write_listing(folder, CAPTIONS, made_by(f"evaluate@{name}", {name: about["fingerprint"]}))
        write_json(
            folder / "scores.json",
            {
                "model": model,
                "scores": scores,
                **origin(about),
                "protocol": {
                    **protocol(reference, section, params.seed, extractor),
                    "network_evaluations_per_image": 1,
                    "curve_images": curve_images,
                },
            },
        )
    figures = [*sorted(out.glob("*.png")), *sorted((OUT / f"{name}-samples").glob("*.png"))]
    publish_training(about, "gan", scores, figures)
    return out


def frechet_over_steps(
    name: str, model: str, count: int, seed: int, extractor: Extractor, reference: Reference
) -> pd.DataFrame:
    """Fréchet distance of `count` images at every snapshot of the training `name`, from the same latents at each.

    Returns:
        A row for each snapshot: `step`, `distance`.
    """
    generator, _ = load_generator(OUT / name, model)
    latents = normal(count, (LATENT,), seed)
    rows = []
    for step, path in snapshots_of(OUT / name).items():
        load_state(path, generator)
        features = extractor(generate(generator, latents))
        rows.append((step, frechet.distance(frechet.statistics(features), reference.statistics)))
    return pd.DataFrame(rows, columns=["step", "distance"])
