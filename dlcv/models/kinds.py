"""What the trainings of each area become outside the pipeline. Light to import."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcv.runtime.summaries import OUT


@dataclass(frozen=True)
class Kind:
    """The models of one area.

    Attributes:
        opener: class or function that makes a model of an exported folder and its `model.json`.
        title: what the model is, one phrase.
        task: Hugging Face's name of the task; None where it has none.
        usage: Python after `model = load(DIR)`, an example for each method.
        shapes: what the methods take and return.
        columns: of the table that the MLflow model takes, with an example of each; none if it takes images.
        returns: type and shape of one item that the MLflow model returns.
        picture: that the study draws, with its caption; `{name}` is that of the training.
        limits: what the model is not for.
    """

    opener: str
    title: str
    task: str | None
    usage: Sequence[str]
    shapes: str
    columns: Mapping[str, int]
    returns: tuple[str, Sequence[int]]
    picture: tuple[str, str]
    limits: str

    def picture_of(self, about: Mapping[str, Any]) -> Path | None:
        """The picture of a training for its card; None if the study has not drawn one."""
        path = OUT / self.picture[0].format(**about)
        return path if path.is_file() else None


DRAWN = "uint8 N x 64 x 64 x 3 in [0, 255], RGB"
READS = "`predict` takes images, uint8 N x 28 x 28 x 3 in [0, 255], RGB, and returns digits, int64 N. `probabilities` "
READS += "takes the same and returns float32 N x 10 with rows that sum to 1."
ONE_ROW = {"count": 4, "seed": 0}
FEW_FACES = "It has seen the faces of its training set alone. Its images are no evidence of how anybody looks."
ONE_DIGIT = "It knows ten digits and has no class for anything else: every image gets a digit."

KINDS: dict[str, Kind] = {
    "gan": Kind(
        "dlcv.models.faces:FaceGAN",
        "Generator of faces, 64 x 64 pixels, trained as a GAN",
        "unconditional-image-generation",
        ("faces = model.sample(16, seed=0)", "faces = model.generate(latents)"),
        f"`sample` returns {DRAWN}. `generate` takes latents, float32 N x 100 from N(0, 1), and returns the same.",
        ONE_ROW,
        ("uint8", (64, 64, 3)),
        ("{area}/{name}-samples/grid.png", "The first 32 images of seed 0."),
        FEW_FACES,
    ),
    "vae": Kind(
        "dlcv.models.faces:FaceVAE",
        "Variational autoencoder of faces, 64 x 64 pixels",
        "unconditional-image-generation",
        ("faces = model.sample(16, seed=0)", "latents = model.encode(faces)", "again = model.decode(latents)"),
        f"`sample` returns {DRAWN}. `encode` takes such images and returns the means of the posteriors, float32 N x "
        "`model.latent`. `decode` takes latents of this shape and returns images.",
        ONE_ROW,
        ("uint8", (64, 64, 3)),
        ("{area}/{name}-evaluation/samples.png", "The first 32 images of seed 0."),
        FEW_FACES,
    ),
    "ddim": Kind(
        "dlcv.models.faces:FaceDDIM",
        "Diffusion model of faces, 64 x 64 pixels",
        "unconditional-image-generation",
        ("faces = model.sample(16, seed=0, steps=20, eta=0.0)", "faces = model.generate(noise, eta=0.0)"),
        f"`sample` returns {DRAWN}. `generate` takes noise, float32 N x 3 x 64 x 64 from N(0, 1), and returns the "
        "same. `steps` are evaluations of the network for an image; `eta` is 0 for no new noise, 1 for that of DDPM.",
        ONE_ROW,
        ("uint8", (64, 64, 3)),
        ("{area}/{name}-samples/grid.png", "The first 32 images of seed 0."),
        FEW_FACES,
    ),
    "diffusion": Kind(
        "dlcv.models.digits:DigitDiffusion",
        "Diffusion model of coloured digits by class, 28 x 28 pixels",
        None,
        ("sevens = model.sample([7] * 16, seed=0)", "digits = model.sample(range(10), seed=0, w=2.0, steps=20)"),
        "`sample` takes digits, N integers from 0 to 9, and returns an image of each, uint8 N x 28 x 28 x 3 in "
        "[0, 255], RGB. `w` is the guidance scale, 0 for none; `steps` are those of the sampler.",
        {"digit": 7, **ONE_ROW},
        ("uint8", (28, 28, 3)),
        ("{area}/{name}-samples/grid.png", "Digits (rows) from ten noises (columns)."),
        "It draws one digit in 28 x 28 pixels, and sometimes another one than was asked for: see its accuracy.",
    ),
    "adaptation": Kind(
        "dlcv.models.digits:adapted",
        "Classifier of digits, 28 x 28 pixels, of domain adaptation",
        "image-classification",
        ("digits = model.predict(images)", "probabilities = model.probabilities(images)"),
        READS,
        {},
        ("int64", ()),
        (
            "{area}/{task}-evaluation/confusion.png",
            "Predictions (columns) for validation images of each digit (rows), of each method, in per cent.",
        ),
        ONE_DIGIT,
    ),
    "evaluation": Kind(
        "dlcv.models.digits:judge",
        "Classifier of coloured digits, 28 x 28 pixels, that judges generated ones",
        "image-classification",
        ("digits = model.predict(images)", "probabilities = model.probabilities(images)"),
        READS,
        {},
        ("int64", ()),
        (
            "evaluation/judge-evaluation/confusion.png",
            "Predictions (columns) for validation images of each digit (rows), in "
            "per cent, of the study's first judge.",
        ),
        ONE_DIGIT,
    ),
}
