"""The section `gan` of params.yaml, and what a training depends on. Light to import.

A model is declared in params.yaml alone: its name in `gan.models`, and a section with what differs from `gan.base`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from dlcv.data.prepared import read_card
from dlcv.runtime.config import Models, Params, Section, key_of
from dlcv.runtime.errors import UserError, expect
from dlcv.runtime.fields import (
    BelowOne,
    Fraction,
    Nonnegative,
    Optimizer,
    Positive,
    PositiveFloat,
    Precision,
    Schedule,
    Seeds,
)
from dlcv.runtime.outputs import Artifact, Outputs, Plot
from dlcv.runtime.provenance import Provenance, code_hashes

FACES = Path("data/faces")
OUT = Path("out/gan")
SUMMARY = Path("out/gan-summary")
METRICS = Path("metrics/gan")
SIZE = 64  # pixels of the faces, as the networks need them

Width = Annotated[float, Field(ge=1 / 64)]  # at least one channel in each layer


def _ascending(labels: list[float]) -> list[float]:
    if labels[0] > labels[1]:
        raise ValueError(f"has to be [low, high], not {labels}")
    return labels


Labels = Annotated[list[float], Field(min_length=2, max_length=2), AfterValidator(_ascending)]


class Settings(Section):
    """One model: its networks, and how they are trained."""

    architecture: Annotated[str, key_of("dlcv.gan.networks", "ARCHITECTURES")]
    generator_width: Width  # factor on the channels; 1 as the report prints them
    discriminator_width: Width
    steps: Positive  # generator updates
    discriminator_steps: Positive  # discriminator updates for each generator update
    batch_size: Annotated[int, Field(gt=1)]  # real images for each discriminator update
    loss: Annotated[str, key_of("dlcv.gan.losses", "LOSSES")]
    optimizer: Optimizer
    generator_learning_rate: PositiveFloat
    discriminator_learning_rate: PositiveFloat
    betas: Annotated[list[BelowOne], Field(min_length=2, max_length=2)]
    weight_decay: Nonnegative
    schedule: Schedule  # of both learning rates
    init_std: PositiveFloat  # of the initial weights
    real_labels: Labels  # drawn uniformly from [low, high] for each image
    fake_labels: Labels
    swap_labels: Fraction  # of discriminator updates with the two labels swapped
    image_noise_std: Nonnegative  # of the noise on the discriminator's input; decays linearly to 0
    gradient_penalty: Nonnegative  # weight of (|gradient| - 1)^2; 0 for none
    gradient_penalty_every: Positive  # discriminator updates; the weight is multiplied by it
    flip: bool  # mirror each real image with probability 1/2
    augment: list[Annotated[str, key_of("dlcv.gan.augment", "AUGMENTATIONS")]]  # of all images the discriminator sees
    ema_decay: BelowOne  # of the averaged generator, which is the result; 0 keeps the last one
    snapshots: Positive  # of the generator, at equal distances, the last one at the last step
    precision: Precision


class Pair(Section):
    """Two models that are compared."""

    a: str
    b: str


class Gan(Models):
    """GANs on faces."""

    seeds: Seeds  # a training of every model for each
    pairs: dict[str, Pair]
    samples: Positive  # images of each model
    base: Settings
    settings: dict[str, Settings]

    @model_validator(mode="after")
    def _pairs_are_trained(self) -> Gan:
        for name, pair in self.pairs.items():
            for model in (pair.a, pair.b):
                if model not in self.models:
                    raise ValueError(f"pair {name} needs {model}; add it to gan.models or leave the pair out")
        return self


def outputs(params: Params) -> Outputs:
    """Curves and generator of every training."""
    names = [name_of(model, seed) for model in params[Gan].models for seed in params[Gan].seeds]
    curves = {
        "generator loss": "generator_loss",
        "discriminator loss": "discriminator_loss",
        "D(x)": "d_real",
        "D(G(z))": "d_fake",
        "diversity": "diversity",
    }
    return Outputs(
        [
            *(
                Plot(f"{title} of the GANs", {OUT / name / "curve.csv": column for name in names})
                for title, column in curves.items()
            ),
            Plot(
                "Fréchet distance of the GANs over steps",
                {OUT / f"{name}-evaluation" / "frechet.csv": "distance" for name in names},
            ),
        ],
        [Artifact(name, OUT / name, f"generator of {name}") for name in names],
        [OUT / f"{name}-samples" / "grid.png" for name in names],
    )


SECTIONS = {"gan": Gan}
OUTPUTS = {"gan": outputs}


def settings_of(model: str, params: Params) -> Settings:
    """The settings of `model`.

    Raises:
        UserError: no such model.
    """
    expect("model", model, params[Gan].settings)
    return params[Gan].settings[model]


def name_of(model: str, seed: int) -> str:
    """The name of a training: "dcgan-0"."""
    return f"{model}-{seed}"


def provenance_of(model: str, params: Params) -> Provenance:
    """What a training depends on.

    Raises:
        UserError: no such model, no prepared faces of 64 pixels, or too few of them.
    """
    settings = settings_of(model, params)
    card = read_card(FACES, SIZE)
    count, least = card["splits"]["train"]["count"], 2 * settings.discriminator_steps
    if count < least:
        raise UserError(f"{FACES} has {count} training images; {model} needs at least {least} for a step")
    return Provenance(
        params={"seed": params.seed, "model": model, "training": settings.model_dump()},
        data={"faces": card["sha256"]},
        code=code_hashes(["dlcv.gan.train"]),
    )
