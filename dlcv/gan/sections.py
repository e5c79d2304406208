"""The typed section `gan` of params.yaml."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field, model_validator

from dlcv.fields import BelowOne, Nonnegative, Positive, Rate, Share, different
from dlcv.params import Section

Model = Literal["dcgan", "dcgan-noisy-labels", "dcgan-k5", "sngan", "wgan-gp"]
MODELS: tuple[Model, ...] = get_args(Model)

Width = Annotated[float, Field(ge=1 / 64)]  # no fewer than one channel in any layer


def _ascending(labels: list[float]) -> list[float]:
    if labels[0] > labels[1]:
        raise ValueError(f"has to be [low, high], not {labels}")
    return labels


Labels = Annotated[list[float], Field(min_length=2, max_length=2), AfterValidator(_ascending)]


class Training(Section):
    """What all models have in common."""

    batch_size: Annotated[int, Field(gt=1)]  # real pictures in a step of the discriminator
    flip: bool  # mirror each real picture with probability 1/2
    ema_decay: BelowOne  # of the averaged generator, which is the result; 0 for the last one
    schedule: Literal["constant", "cosine"]  # of both learning rates
    snapshots: Positive  # of the generator, at equal distances, the last step's among them
    precision: Literal["fp32", "bf16", "fp16"]


class Settings(Section):
    """One model: its size, and how it is trained."""

    generator_width: Width  # factor on the channels; 1 is as the report prints them
    discriminator_width: Width
    steps: Positive  # updates of the generator
    discriminator_steps: Positive  # updates of the discriminator for each of them
    loss: Literal["bce", "hinge", "wasserstein"]
    optimizer: Literal["adam", "adamw"]
    generator_rate: Rate
    discriminator_rate: Rate
    betas: Annotated[list[BelowOne], Field(min_length=2, max_length=2)]
    weight_decay: Nonnegative
    init_std: Rate  # deviation of the first weights of convolutions, and of BatchNorm's around 1
    real_labels: Labels  # of the discriminator's targets, drawn for each picture uniformly from low to high
    fake_labels: Labels
    swap_labels: Share  # of the discriminator's steps exchange the two
    picture_noise: Nonnegative  # deviation of the noise on what the discriminator sees, falling to 0
    gradient_penalty: Nonnegative  # weight of (|gradient| - 1)^2; 0 leaves it out
    penalty_every: Positive  # updates of the discriminator; the weight is multiplied by it


class Two(Section):
    """Two models that are set against each other."""

    a: Model
    b: Model


class Gan(Section):
    """Five GANs on faces."""

    models: Annotated[list[Model], Field(min_length=1), AfterValidator(different)]
    pairs: dict[str, Two]
    samples: Positive  # pictures of each model
    training: Training
    dcgan: Settings
    dcgan_noisy_labels: Annotated[Settings, Field(alias="dcgan-noisy-labels")]
    dcgan_k5: Annotated[Settings, Field(alias="dcgan-k5")]
    sngan: Settings
    wgan_gp: Annotated[Settings, Field(alias="wgan-gp")]

    @model_validator(mode="after")
    def _pairs_are_trained(self) -> Gan:
        for name, pair in self.pairs.items():
            for model in (pair.a, pair.b):
                if model not in self.models:
                    raise ValueError(f"pair {name} needs {model}; add it to gan.models or leave the pair out")
        return self

    def settings(self, model: str) -> Settings:
        """The section of one of `MODELS`."""
        settings: Settings = getattr(self, model.replace("-", "_"))
        return settings
