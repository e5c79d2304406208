"""Typed parts of params.yaml that every diffusion model has, and the section `diffusion`: models of digits."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field, model_validator

from dlcv.fields import BelowOne, Nonnegative, Positive, Rate, Share, different, rising
from dlcv.params import Section

Spacing = Literal["uniform", "uniform+1", "trailing", "quad"]
Target = Literal["noise", "velocity", "picture"]

Model = Literal["context-unet", "context-unet-t1000", "attention-unet", "residual-unet"]
MODELS: tuple[Model, ...] = get_args(Model)

Eta = Annotated[float, Field(ge=0, le=1)]
Beta = Annotated[float, Field(gt=0, lt=1)]


class Betas(Section):
    """A linear schedule."""

    timesteps: Annotated[int, Field(ge=2)]  # T
    beta_start: Beta
    beta_end: Beta

    @model_validator(mode="after")
    def _rising(self) -> Betas:
        if self.beta_start > self.beta_end:
            raise ValueError(f"beta_start {self.beta_start} has to be at most beta_end {self.beta_end}")
        return self


class Sampling(Section):
    """How DDIM draws pictures."""

    steps: Annotated[int, Field(gt=0)]  # S, evaluations of the network for a picture
    eta: Eta  # 0: no fresh noise; 1: DDPM with the posterior's variance
    spacing: Spacing  # of the S among the T times
    clip_x0: bool  # the predicted picture to [-1, 1], in every step
    rederive_epsilon: bool  # the noise from the clipped picture; without it, what was predicted


def _tens(count: int) -> int:
    if count % 10:
        raise ValueError(f"has to be a multiple of 10, equally many of each digit, not {count}")
    return count


Tens = Annotated[int, Field(ge=10), AfterValidator(_tens)]


class DigitSampling(Section):
    """How digits are drawn."""

    sampler: Literal["ddim", "ancestral"]
    steps: Positive | None  # times at which the network is asked; null: all T, as in the reports
    spacing: Spacing  # of the steps among the T times
    eta: Eta  # of DDIM; 0: no fresh noise
    variance: Literal["posterior", "beta"]  # of ancestral sampling; the reports' is beta
    clip_x0: bool  # the predicted picture to [-1, 1], in every step
    rederive_epsilon: bool  # the noise from the clipped picture (DDIM); without it, what was predicted


class Network(Section):
    """The size of a noise predictor, and where the condition enters."""

    width: Annotated[float, Field(ge=1 / 64)]  # factor on the channels; 1 is as the report prints them
    conditioning: Literal["printed", "adaptive"]  # adaptive: scale and shift in every block as well
    patch: Literal[1, 2, 4]  # pixels of a side that enter as channels of one; 1 as printed
    dropout: BelowOne  # of residual-unet's blocks; the others have none


class Times(Section):
    """Which times are trained on."""

    density: Literal["uniform", "log-snr"]  # log-snr: a normal distribution of log(a / (1 - a))
    mean: float  # of it; 0 is where picture and noise are equally strong, below it noise is stronger
    std: Rate


class Training(Section):
    """How one model is trained."""

    steps: Positive
    batch_size: Positive
    optimizer: Literal["adam", "adamw"]
    learning_rate: Rate  # the largest
    schedule: Literal["constant", "cosine"]  # of the rate
    weight_decay: Nonnegative
    gradient_clip: Nonnegative  # largest norm; 0 does not clip
    ema_decay: BelowOne  # of the averaged weights, which are the result; 0 for the last ones
    label_drop: Share  # of labels that are left out
    drop: Literal["sample", "batch"]  # each picture by itself, or all of a step
    target: Target  # what the network's output is; a narrow network has no room for all of the noise
    times: Times
    min_snr: Nonnegative  # gamma of Hang et al. 2023's weights; 0 weighs all times alike
    precision: Literal["fp32", "bf16"]
    snapshots: Positive  # of the network, at equal distances, the last step's among them


class Guidance(Section):
    """How much the class counts while sampling."""

    w: Nonnegative  # (1 + w) conditional - w unconditional; 0: conditional alone
    skip_unconditional: Share  # chance of a step to leave the unconditional pass out


class Settings(Section):
    """One model: its noise, its network, how it is trained and how strongly it is guided."""

    schedule: Betas
    network: Network
    training: Training
    guidance: Guidance


class Table(Section):
    """Digit accuracy and Fréchet distance against w, and against the share of skipped unconditional passes."""

    w: Annotated[list[Nonnegative], Field(min_length=1), AfterValidator(rising)]
    skip_unconditional: Annotated[list[Share], AfterValidator(rising)]  # at the model's own w
    pictures: Tens  # of each cell
    snapshot_pictures: Tens  # of each snapshot of the training


class Diffusion(Section):
    """Conditional diffusion models of digits."""

    models: Annotated[list[Model], Field(min_length=1), AfterValidator(different)]
    samples: Tens  # pictures of each model
    sampling: DigitSampling
    table: Table
    context_unet: Annotated[Settings, Field(alias="context-unet")]
    context_unet_t1000: Annotated[Settings, Field(alias="context-unet-t1000")]
    attention_unet: Annotated[Settings, Field(alias="attention-unet")]
    residual_unet: Annotated[Settings, Field(alias="residual-unet")]

    @model_validator(mode="after")
    def _fits(self) -> Diffusion:
        for model in MODELS:
            settings = self.settings(model)
            most = settings.schedule.timesteps - (self.sampling.spacing == "uniform+1")
            steps = self.sampling.steps or settings.schedule.timesteps
            if model in self.models and steps > most:
                raise ValueError(f"sampling.steps may be {most} at most for {model} with this spacing, not {steps}")
            if model != "residual-unet" and settings.network.dropout:
                raise ValueError(f"{model} has no dropout; its network.dropout has to be 0.0")
            if settings.guidance.w and not settings.training.label_drop:
                raise ValueError(f"{model} never learns to do without a label; w above 0 needs a label_drop above 0")
        return self

    def settings(self, model: str) -> Settings:
        """The section of one of `MODELS`."""
        settings: Settings = getattr(self, model.replace("-", "_"))
        return settings
