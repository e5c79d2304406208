"""The stage `evaluate`: scores of reconstructions, latents and samples, learning curves, and figures."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dlcv.data.latents import normal
from dlcv.data.prepared import Split, load_split, read_card
from dlcv.engine.weights import load_state, origin, snapshots_of
from dlcv.evaluation.config import Evaluation
from dlcv.evaluation.extractors.extractor import load_extractor
from dlcv.evaluation.figures import beside_nearest
from dlcv.evaluation.reference import load_reference
from dlcv.evaluation.scores import protocol, score
from dlcv.figures import grids
from dlcv.figures.listing import made_by, write_listing
from dlcv.figures.prints import write_prints
from dlcv.runtime.config import Params
from dlcv.runtime.files import replacing, write_json
from dlcv.runtime.nested import flatten
from dlcv.runtime.publish import publish_training
from dlcv.vae import figures, prior, scores
from dlcv.vae.codes import Codes, decode, encode, load_autoencoder
from dlcv.vae.config import FACES, OUT, Vae, name_of
from dlcv.vae.networks import Autoencoder

REFERENCE = Path("out/evaluation/faces")
IN_GRID = 32  # samples
RECONSTRUCTED = 10  # images of the figure
INTERPOLATED = 11  # images from one face to another
CURVE_IMAGES = 1000  # maximum, of each split, for each snapshot


def run(params: Params) -> Path:
    """Score the training with the seed of `params`.

    Returns:
        The folder with `scores.json`, `losses.csv` and figures.

    Raises:
        UserError: no weights, no faces, no reference, or fewer samples than are scored.
    """
    section, own, name = params[Evaluation], params[Vae], name_of(params.seed)
    network, about = load_autoencoder(OUT / name)
    attribute = read_card(FACES)["label"]
    faces = {"train": load_split(FACES, "train"), "val": load_split(FACES, "val")}
    extractor, reference = load_extractor(section, section.input_size.faces), load_reference(REFERENCE)
    codes = {split: encode(network, part.images) for split, part in faces.items()}
    fitted, noise = prior.fit(codes["train"]), normal(own.samples, (about["latent"],), params.seed)
    samples = {"samples": decode(network, noise), "samples_fitted": decode(network, fitted(noise.numpy()))}
    values: dict[str, Any] = {
        **{name: score(images, reference, section, params.seed, extractor) for name, images in samples.items()},
        "validation": scores.reconstruction(codes["val"]),
        "training": scores.reconstruction(codes["train"]),
        "pca": scores.linear(faces, about["latent"]),
        "active_units": scores.active_units(codes["val"].means),
        "probe": scores.probe(attribute, faces, codes, params.seed),
    }
    over_steps = losses_over_steps(OUT / name, faces)

    out = OUT / f"{name}-evaluation"
    with replacing(out) as folder:
        folder.mkdir(parents=True)
        over_steps.to_csv(folder / "losses.csv", index=False, float_format="%.6g")
        figures.curve(folder / "curve.png", pd.read_csv(OUT / name / "curve.csv"), over_steps, "VAE")
        fitted.save(folder)
        for kind, images in samples.items():
            grids.grid(images[:IN_GRID], columns=8, scale=figures.SCALE).save(folder / f"{kind.replace('_', '-')}.png")
        beside_nearest(samples["samples_fitted"][:8], extractor, reference, faces["train"].images).save(
            folder / "neighbours.png"
        )
        map_protocol = draw_codes(folder, network, faces["val"], codes["val"], attribute, params)
        stage = f"stages/vae/dvc.yaml:evaluate@{params.seed}"
        write_prints(folder, {"at the report's width": {"autoencoder": Autoencoder()}})
        write_listing(folder, figures.CAPTIONS, made_by(stage, {name: about["fingerprint"]}))
        write_json(
            folder / "scores.json",
            {
                "scores": values,
                **origin(about),
                "protocol": {
                    **own_protocol(protocol(reference, section, params.seed, extractor), faces, about, params.seed),
                    "tsne": map_protocol,
                },
            },
        )
    tracked = {key: float(value) for key, value in flatten(values).items() if isinstance(value, (int, float))}
    drawn = sorted(out.glob("*.png"))
    curve = [{str(key): value for key, value in row.items()} for row in over_steps.to_dict("records")]
    publish_training(about, "vae", tracked, drawn, curve)
    return out


def losses_over_steps(training: Path, faces: dict[str, Split]) -> pd.DataFrame:
    """Both terms of the loss at every snapshot in the folder `training`, on training and validation images.

    The training's own curve does not compare with validation: its images are mirrored, its batches small, its weights
    change. Here one network in eval mode sees both splits, so that the gap between the curves is that between known
    and new images.

    Returns:
        A row for each snapshot: `step`, `training_reconstruction`, `training_kl`, `validation_reconstruction`,
        `validation_kl`.
    """
    network, _ = load_autoencoder(training)
    count = curve_images(faces)
    rows = []
    for step, path in snapshots_of(training).items():
        load_state(path, network)
        row: dict[str, float] = {"step": step}
        for name, split in (("training", "train"), ("validation", "val")):
            codes = encode(network, faces[split].images[:count])
            row[f"{name}_reconstruction"] = float(codes.sampled_error.mean(dtype=np.float64))
            row[f"{name}_kl"] = float(codes.kl.mean(dtype=np.float64))
        rows.append(row)
    return pd.DataFrame(rows)


def curve_images(faces: dict[str, Split]) -> int:
    """Number of images of each split that a snapshot is measured on."""
    return min(CURVE_IMAGES, *(len(part.images) for part in faces.values()))


def draw_codes(
    folder: Path, network: Autoencoder, faces: Split, codes: Codes, attribute: str | None, params: Params
) -> dict[str, float]:
    """Draw the figures of the validation images: reconstructions, the latent map, and an interpolation.

    Returns:
        The protocol of the map.
    """
    images, means = np.array(faces.images[:RECONSTRUCTED]), codes.means
    figures.reconstructions(
        folder / "reconstructions.png", images, decode(network, means[:RECONSTRUCTED]), codes.error[:RECONSTRUCTED]
    )
    a, b = two_faces(faces.labels)
    alphas = np.linspace(0, 1, INTERPOLATED)
    between = means[a] + alphas[:, None].astype(np.float32) * (means[b] - means[a])
    ends = np.array(faces.images[a]), np.array(faces.images[b])
    figures.interpolation(folder / "interpolation.png", ends, decode(network, between), alphas)
    return figures.latent_map(
        folder / "tsne.png", means, faces.images, faces.labels, attribute, params[Vae].tsne, params.seed
    )


def two_faces(labels: np.ndarray | None) -> tuple[int, int]:
    """Indices of the first image, and of the first one with another label, or of the second if there is none."""
    if labels is None or (labels == labels[0]).all():
        return 0, 1
    return 0, int((labels != labels[0]).argmax())


def own_protocol(shared: dict[str, Any], faces: dict[str, Split], about: dict[str, Any], seed: int) -> dict[str, Any]:
    """How the scores were computed: `shared`, as for every model, and what only the VAE has."""
    counts = {split: len(part.images) for split, part in faces.items()}
    return {
        **shared,
        "versions": shared["versions"] | {package: version(package) for package in ("openTSNE", "scikit-learn")},
        "network_evaluations_per_image": 1,
        "samples": f"the first {shared['images']} of latents from N(0, 1), seed {seed}",
        "samples_fitted": "of the same noise, with the mean and the covariance of the training images' latents",
        "reconstruction": {
            "mse": "from the posterior mean; mean over pixels, channels and images in [-1, 1], before rounding",
            "mse_sampled": "from one random latent of each posterior, as in the learning curves",
            "images": {"validation": counts["val"], "training": counts["train"]},
        },
        "pca": "the linear autoencoder: principal components of the training images, not rounded or clipped",
        "kl": "nats for each image, summed over the latent",
        "beta": about["beta"],
        "active_units": f"variance of the posterior mean over the validation images above {scores.ACTIVE}",
        "probe": "logistic regression on posterior means, its penalty not tuned",
        "curve_images": curve_images(faces),
    }
