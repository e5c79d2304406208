"""The typed section `ddim` of params.yaml."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from dlcv.diffusion.config import Betas, Eta, Sampling, Spacing, Target
from dlcv.runtime.config import Section
from dlcv.runtime.fields import BelowOne, Positive, rising

SIZE = 64  # pixels of a face's side


Etas = Annotated[list[Eta], Field(min_length=1), AfterValidator(rising)]


class Network(Section):
    """The U-Net; the values at which it is the paper's are 1, [1, 2, 2, 2, 4], 2, [16], 0.1 and 1."""

    width: Annotated[float, Field(ge=1 / 32)]  # factor on 128 channels
    multipliers: Annotated[list[Positive], Field(min_length=1)]  # of the channels, one for each level
    blocks: Positive  # residual blocks of a level
    attention: list[Positive]  # sizes within the U-Net at which it attends
    dropout: BelowOne
    patch: Literal[1, 2, 4]  # pixels of a side that enter as channels of one

    @model_validator(mode="after")
    def _fits(self) -> Network:
        smallest = self.patch * 2 ** (len(self.multipliers) - 1)
        if SIZE % smallest:
            raise ValueError(
                f"{len(self.multipliers)} levels behind patches of {self.patch} are too many for {SIZE} pixels"
            )
        return self


class Training(Section):
    """As in Ho et al. 2020."""

    steps: Positive
    batch_size: Positive
    learning_rate: Annotated[float, Field(gt=0)]  # of Adam, the largest
    schedule: Literal["constant", "cosine"]  # of the rate
    ema_decay: BelowOne  # of the averaged weights, which are the result; 0 for the last ones
    gradient_clip: Annotated[float, Field(gt=0)]  # largest norm
    flip: bool  # mirror each image with probability 1/2
    target: Target  # what the network's output is: the noise, or what it is computed from, velocity or image
    min_snr: Annotated[float, Field(ge=0)]  # gamma of Hang et al. 2023's weights; 0 weighs all times alike
    snapshots: Positive  # of the network, at equal distances, the last step's among them
    precision: Literal["fp32", "bf16"]


class Table(Section):
    """Fréchet distance and face score over eta and the number of steps."""

    etas: Etas
    steps: Annotated[list[Positive], Field(min_length=1), AfterValidator(rising)]
    spacing: Spacing
    sigma_hat: bool  # also DDPM with the variance beta
    images: Annotated[int, Field(ge=4)]  # of each cell, at most as many as are scored elsewhere


class Ddim(Section):
    """A noise predictor on faces, and images from it."""

    samples: Annotated[int, Field(ge=4)]  # images
    schedule: Betas
    network: Network
    training: Training
    sampling: Sampling
    figure_etas: Etas
    table: Table

    @model_validator(mode="after")
    def _steps_fit(self) -> Ddim:
        for key, spacing, steps in (
            ("sampling.steps", self.sampling.spacing, self.sampling.steps),
            ("table.steps", self.table.spacing, self.table.steps[-1]),
        ):
            most = self.schedule.timesteps - (spacing == "uniform+1")
            if steps > most:
                raise ValueError(f"{key} may be {most} at most with this schedule and spacing, not {steps}")
        return self
