"""The stage `evaluate`: how well the network reconstructs, what its latent holds, what it makes of the prior."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dlcv.data.prepared import Split, load_split, read_card
from dlcv.engine.weights import load_state, origin, snapshots_of
from dlcv.evaluation.config import Evaluation
from dlcv.evaluation.extractors.extractor import load_extractor
from dlcv.evaluation.figures import beside_nearest
from dlcv.evaluation.reference import load_reference
from dlcv.evaluation.scores import protocol, score
from dlcv.figures import grids
from dlcv.runtime import tracking
from dlcv.runtime.config import Params
from dlcv.runtime.files import replacing, write_json
from dlcv.runtime.nested import flatten
from dlcv.vae import figures, scores
from dlcv.vae.codes import Codes, decode, encode, load_network
from dlcv.vae.config import Vae
from dlcv.vae.networks import Autoencoder, latents
from dlcv.vae.tasks import FACES, METRICS, NAME, OUT

REFERENCE = Path("out/evaluation/faces")
SHOWN = 32  # samples of the grid
RECONSTRUCTED = 10  # images of the figure
WAY = 11  # images from one face to another
CURVE_IMAGES = 1000  # at most, of training and of validation, for each snapshot


def run(params: Params) -> Path:
    """Score the trained network.

    Returns:
        The JSON of its scores; figures lie in `out/vae/vae-evaluation/`.

    Raises:
        UserError: no weights, no faces, no reference, or fewer samples than are to be compared.
    """
    section, own = params[Evaluation], params[Vae]
    network, about = load_network(OUT / NAME)
    attribute = read_card(FACES)["label"]
    faces = {"train": load_split(FACES, "train"), "val": load_split(FACES, "val")}
    extractor, reference = load_extractor(section), load_reference(REFERENCE)
    samples = decode(network, latents(own.samples, about["latent"], params.seed))
    sampled = score(samples, reference, section, params.seed, extractor)
    codes = {split: encode(network, part.images) for split, part in faces.items()}
    values = {
        "samples": sampled,
        "validation": scores.reconstruction(codes["val"]),
        "training": scores.reconstruction(codes["train"]),
        "active_units": scores.active_units(codes["val"].means),
        "probe": scores.probe(attribute, faces, codes, params.seed),
    }
    over_steps = losses_over_steps(faces)

    with replacing(OUT / f"{NAME}-evaluation") as folder:
        folder.mkdir(parents=True)
        over_steps.to_csv(folder / "losses.csv", index=False, float_format="%.6g")
        figures.curve(folder / "curve.png", pd.read_csv(OUT / NAME / "curve.csv"), over_steps, "VAE")
        grids.grid(samples[:SHOWN], columns=8, scale=figures.SCALE).save(folder / "samples.png")
        beside_nearest(samples[:8], extractor, reference, faces["train"].images).save(folder / "neighbours.png")
        of_map = draw_codes(folder, network, faces["val"], codes["val"], attribute, params)
    write_json(
        METRICS / f"{NAME}.json",
        {
            "name": NAME,
            "scores": values,
            **origin(about),
            "protocol": own_protocol(protocol(reference, section, params.seed, extractor), faces, about, params.seed)
            | {"tsne": of_map},
        },
    )
    track(values, over_steps, about, params)
    return METRICS / f"{NAME}.json"


def losses_over_steps(faces: dict[str, Split]) -> pd.DataFrame:
    """Both terms of the loss at every snapshot, as the training has them, of training and validation images alike.

    Measured here and not in the training: one network in eval mode sees both sets without mirroring, so that the gap
    between the two curves is that between known and new images and nothing else.

    Returns:
        A row for each snapshot: `step`, `training_reconstruction`, `training_kl`, `validation_reconstruction`,
        `validation_kl`.
    """
    network, _ = load_network(OUT / NAME)
    count = curve_images(faces)
    rows = []
    for step, path in snapshots_of(OUT / NAME).items():
        load_state(path, network)
        row: dict[str, float] = {"step": step}
        for name, split in (("training", "train"), ("validation", "val")):
            codes = encode(network, faces[split].images[:count])
            row[f"{name}_reconstruction"] = float(codes.sampled_error.mean(dtype=np.float64))
            row[f"{name}_kl"] = float(codes.kl.mean(dtype=np.float64))
        rows.append(row)
    return pd.DataFrame(rows)


def curve_images(faces: dict[str, Split]) -> int:
    """Images of each split that a snapshot is measured on."""
    return min(CURVE_IMAGES, *(len(part.images) for part in faces.values()))


def draw_codes(
    folder: Path, network: Autoencoder, faces: Split, codes: Codes, attribute: str | None, params: Params
) -> dict[str, float]:
    """Draw what is made of validation images: reconstructions, a map of the latent, the way between two faces.

    Returns:
        The map's protocol.
    """
    own, images, means = params[Vae].tsne, np.array(faces.images[:RECONSTRUCTED]), codes.means
    figures.reconstructions(
        folder / "reconstructions.png", images, decode(network, means[:RECONSTRUCTED]), codes.error[:RECONSTRUCTED]
    )
    of_map = figures.latent_map(folder / "tsne.png", means, faces.images, faces.labels, attribute, own, params.seed)
    a, b = two_faces(faces.labels)
    shares = np.linspace(0, 1, WAY)
    between = means[a] + shares[:, None].astype(np.float32) * (means[b] - means[a])
    ends = np.array(faces.images[a]), np.array(faces.images[b])
    figures.interpolation(folder / "interpolation.png", ends, decode(network, between), shares)
    return of_map


def two_faces(labels: np.ndarray | None) -> tuple[int, int]:
    """The first image, and the first after it that differs in the attribute, where there is one."""
    if labels is None or (labels == labels[0]).all():
        return 0, 1
    return 0, int((labels != labels[0]).argmax())


def own_protocol(shared: dict[str, Any], faces: dict[str, Split], about: dict[str, Any], seed: int) -> dict[str, Any]:
    """How the scores came about: `shared` is what the GANs' have too."""
    counts = {split: len(part.images) for split, part in faces.items()}
    return {
        **shared,
        "versions": shared["versions"] | {package: version(package) for package in ("openTSNE", "scikit-learn")},
        "network_evaluations_per_image": 1,
        "samples": f"the first {shared['images']} of latents from N(0, 1), seed {seed}",
        "reconstruction": {
            "mse": "from the posterior mean; mean over pixels, channels and images in [-1, 1], before rounding",
            "mse_sampled": "from one random latent of each posterior, as in the learning curves",
            "images": {"validation": counts["val"], "training": counts["train"]},
        },
        "kl": "nats of an image, summed over the latent",
        "beta": about["beta"],
        "active_units": f"variance of the posterior mean over the validation images above {scores.ACTIVE}",
        "probe": "logistic regression on posterior means, its penalty not tuned",
        "curve_images": curve_images(faces),
    }


def track(values: dict[str, Any], over_steps: pd.DataFrame, about: dict[str, Any], params: Params) -> None:
    """Show scores, curves and figures in MLflow: in a run of the evaluation, and in the run that made the weights."""
    shown = {key: float(value) for key, value in flatten(values).items() if isinstance(value, (float, int))}
    drawn = sorted((OUT / f"{NAME}-evaluation").glob("*.png"))
    with tracking.run(
        f"evaluate-{NAME}", area="vae", params={**params[Evaluation].model_dump(), **params[Vae].tsne.model_dump()}
    ) as tracked:
        for row in over_steps.to_dict("records"):
            tracked.log({str(key): value for key, value in row.items() if key != "step"}, int(row["step"]))
        tracked.scores(shown)
        for figure in drawn:
            tracked.figure(figure)
    tracking.add_scores(about["sha256"], shown, drawn)
