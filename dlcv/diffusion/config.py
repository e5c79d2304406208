"""The sections `diffusion` (digits) and `ddim` (faces) of params.yaml, paths and provenance. Light to import.

A model of digits is declared in params.yaml alone: its name in `diffusion.models`, and a section with what differs from
`diffusion.base`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from dlcv.data.prepared import read_card
from dlcv.runtime.config import Models, Overrides, Params, Section, key_of
from dlcv.runtime.errors import UserError, expect, nearest
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
    rising,
)
from dlcv.runtime.outputs import Artifact, Outputs, Plot
from dlcv.runtime.provenance import Provenance, code_hashes

DIGITS = Path("data/digits/mnistm")
DIGIT_SIZE = 28  # pixels
DIGITS_OUT = Path("out/diffusion")
DIGITS_SUMMARY = Path("out/diffusion-summary")
DIGITS_METRICS = Path("metrics/diffusion")
DIGITS_REFERENCE = Path("out/evaluation/digits/mnistm")

FACES = Path("data/faces")
FACE_SIZE = 64  # pixels
FACES_OUT = Path("out/ddim")
FACES_SUMMARY = Path("out/ddim-summary")
FACES_METRICS = Path("metrics/ddim.json")
FACES_REFERENCE = Path("out/evaluation/faces")

Spacing = Literal["uniform", "uniform+1", "trailing", "quad"]
Prediction = Literal["noise", "velocity", "x0"]

Eta = Annotated[float, Field(ge=0, le=1)]
Etas = Annotated[list[Eta], Field(min_length=1), AfterValidator(rising)]
Beta = Annotated[float, Field(gt=0, lt=1)]
Patch = Literal[1, 2, 4]


class Betas(Section):
    """A linear noise schedule."""

    timesteps: Annotated[int, Field(ge=2)]  # T
    beta_start: Beta
    beta_end: Beta

    @model_validator(mode="after")
    def _rising(self) -> Betas:
        if self.beta_start > self.beta_end:
            raise ValueError(f"beta_start {self.beta_start} has to be at most beta_end {self.beta_end}")
        return self


class Sampling(Section):
    """How images are drawn: the settings of both samplers."""

    spacing: Spacing  # of the S time steps among the T of the training
    eta: Eta  # of DDIM: 0 adds no noise; 1 is DDPM with the posterior variance
    clip_x0: bool  # clip the predicted x0 to [-1, 1] in each step
    rederive_epsilon: bool  # of DDIM: recompute the noise from the clipped x0, else keep the predicted noise


class FaceSampling(Sampling):
    """How DDIM draws faces."""

    steps: Positive  # S, network evaluations for an image


class DigitSampling(Sampling):
    """How digits are drawn."""

    sampler: Literal["ddim", "ancestral"]
    steps: Positive | None  # S; null for all T, as in the reports
    variance: Literal["posterior", "beta"]  # of ancestral sampling; the reports' is beta


class Training(Section):
    """How a noise predictor is trained."""

    steps: Positive
    batch_size: Positive
    learning_rate: PositiveFloat  # peak
    schedule: Schedule
    gradient_clip: Nonnegative  # maximum norm; 0 for none
    ema_decay: BelowOne  # of the averaged weights, which are the result; 0 keeps the last ones
    prediction: Prediction  # what the network predicts
    min_snr_gamma: Nonnegative  # of the min-SNR loss weights (Hang et al. 2023); 0 weights all times equally
    snapshots: Positive  # at equal distances, that of the last step among them
    precision: Precision


class FaceNetwork(Section):
    """The U-Net of faces.

    The paper's values are width 1, multipliers [1, 2, 2, 2, 4], blocks 2, attention [16], dropout 0.1 and patch 1.
    """

    width: Annotated[float, Field(ge=1 / 32)]  # factor on 128 channels
    multipliers: Annotated[list[Positive], Field(min_length=1)]  # of the channels at each level
    blocks: Positive  # residual blocks for each level
    attention: list[Positive]  # sizes of the feature maps with attention
    dropout: BelowOne
    patch: Patch  # side of the pixel blocks that enter as channels

    @model_validator(mode="after")
    def _fits(self) -> FaceNetwork:
        smallest = self.patch * 2 ** (len(self.multipliers) - 1)
        if FACE_SIZE % smallest:
            raise ValueError(
                f"{len(self.multipliers)} levels behind patches of {self.patch} are too many for {FACE_SIZE} pixels"
            )
        return self


class FaceTraining(Training):
    """How the U-Net of faces is trained: by Adam, at uniformly drawn times, as in Ho et al. 2020."""

    flip: bool  # mirror each image with probability 1/2


class FaceTable(Section):
    """Fréchet distance and face score over eta and the number of steps."""

    etas: Etas
    steps: Annotated[list[Positive], Field(min_length=1), AfterValidator(rising)]
    spacing: Spacing
    sigma_hat: bool  # add DDPM with the variance beta
    images: Annotated[int, Field(ge=4)]  # in each cell, at most as many as are scored elsewhere


class Ddim(Section):
    """A noise predictor of faces, and images drawn from it."""

    seeds: Seeds  # a training for each
    samples: Annotated[int, Field(ge=4)]  # images
    schedule: Betas
    network: FaceNetwork
    training: FaceTraining
    sampling: FaceSampling
    figure_etas: Etas
    table: FaceTable

    @model_validator(mode="after")
    def _steps_fit(self) -> Ddim:
        for key, spacing, steps in (
            ("sampling.steps", self.sampling.spacing, self.sampling.steps),
            ("table.steps", self.table.spacing, self.table.steps[-1]),
        ):
            most = self.schedule.timesteps - (spacing == "uniform+1")
            if steps > most:
                raise ValueError(f"{key} may be at most {most} with this schedule and spacing, not {steps}")
        return self


def _tens(count: int) -> int:
    if count % 10:
        raise ValueError(f"has to be a multiple of 10, the same number of each digit, not {count}")
    return count


Tens = Annotated[int, Field(ge=10), AfterValidator(_tens)]


class DigitNetwork(Section):
    """The network of one model of digits."""

    architecture: Annotated[str, key_of("dlcv.diffusion.networks.build", "ARCHITECTURES")]
    width: Annotated[float, Field(ge=1 / 64)]  # factor on the channels; 1 as the report prints them
    conditioning: Literal["printed", "adaptive"]  # adaptive: also scale and shift by time and class in each block
    patch: Patch  # side of the pixel blocks that enter as channels; 1 as printed
    dropout: BelowOne  # of residual-unet's blocks; the others have none

    @property
    def adaptive(self) -> bool:
        """Whether every block has a scale and a shift by time and class."""
        return self.conditioning == "adaptive"


class Times(Section):
    """The distribution of the training times."""

    density: Literal["uniform", "log-snr"]  # log-snr: normal in log(a / (1 - a))
    mean: float  # 0 is where image and noise are equally strong; lower is noisier
    std: PositiveFloat


class DigitTraining(Training):
    """How one model of digits is trained."""

    optimizer: Optimizer
    weight_decay: Nonnegative
    label_drop: Fraction  # probability of training without the label
    drop: Literal["sample", "batch"]  # drop labels independently, or for the whole batch
    times: Times


class Guidance(Section):
    """Classifier-free guidance."""

    w: Nonnegative  # (1 + w) conditional - w unconditional; 0 for the conditional prediction alone
    skip_unconditional: Fraction  # fraction of the steps without the unconditional prediction


class Guidances(Overrides):
    """The guidance of every model: apart from the other settings, since no training depends on it."""

    base: Guidance
    settings: dict[str, Guidance]


class Settings(Section):
    """One model of digits: its noise schedule, its network and how it is trained."""

    schedule: Betas
    network: DigitNetwork
    training: DigitTraining


class DigitTable(Section):
    """Digit accuracy and Fréchet distance over w, and over the fraction of skipped unconditional predictions."""

    w: Annotated[list[Nonnegative], Field(min_length=1), AfterValidator(rising)]
    skip_unconditional: Annotated[list[Fraction], AfterValidator(rising)]  # at the model's own w
    images: Tens  # in each cell
    snapshot_images: Tens  # of each snapshot of the training


class Diffusion(Models):
    """Class-conditional diffusion models of digits."""

    seeds: Seeds  # a training of every model for each
    samples: Tens  # images of each model
    sampling: DigitSampling
    table: DigitTable
    guidance: Guidances
    base: Settings
    settings: dict[str, Settings]

    @model_validator(mode="after")
    def _fits(self) -> Diffusion:
        for model in self.guidance.settings:
            if model not in self.settings:
                raise ValueError(f"guidance has a section {model}, which is no model{nearest(model, self.settings)}")
        for model, settings in self.settings.items():
            if model not in self.guidance.settings:
                raise ValueError(f"guidance has no section {model}; add it, {{}} if nothing differs from its base")
            most = settings.schedule.timesteps - (self.sampling.spacing == "uniform+1")
            steps = self.sampling.steps or settings.schedule.timesteps
            if model in self.models and steps > most:
                raise ValueError(f"sampling.steps may be at most {most} for {model} with this spacing, not {steps}")
            if settings.network.architecture != "residual-unet" and settings.network.dropout:
                raise ValueError(f"{model} has no dropout; its network.dropout has to be 0.0")
            if self.guidance.settings[model].w and not settings.training.label_drop:
                raise ValueError(f"{model} is never trained without a label; w above 0 needs a label_drop above 0")
        return self


# Columns of a training's curve by what they show.
CURVES = {"loss": "loss", "unweighted error": "error", "gradient norm": "gradient_norm"}


def faces_outputs(params: Params) -> Outputs:
    """Curves, table and weights of the U-Net of faces."""
    names = [faces_name(seed) for seed in params[Ddim].seeds]
    tables = [FACES_OUT / f"{name}-evaluation" / "table.csv" for name in names]
    return Outputs(
        [
            *(
                Plot(f"{title} of DDIM's network", {FACES_OUT / name / "curve.csv": column for name in names})
                for title, column in CURVES.items()
            ),
            *(
                Plot(
                    f"{title} of DDIM over eta and steps",
                    dict.fromkeys(tables, column),
                    x="steps",
                    template="scatter",
                )
                for title, column in {"Fréchet distance": "distance", "face score": "faces"}.items()
            ),
        ],
        [Artifact(name, FACES_OUT / name, "noise predictor of faces") for name in names],
        [FACES_OUT / f"{name}-samples" / "grid.png" for name in names],
    )


def digits_outputs(params: Params) -> Outputs:
    """Curves, scores and weights of the models of digits that are trained."""
    section, of = params[Diffusion], "of the conditional diffusion models"
    names = [digits_name(model, seed) for model in section.models for seed in section.seeds]
    scores = [DIGITS_OUT / f"{name}-evaluation" for name in names]
    return Outputs(
        [
            *(
                Plot(f"{title} {of}", {DIGITS_OUT / name / "curve.csv": column for name in names})
                for title, column in CURVES.items()
            ),
            Plot(
                f"digit accuracy {of} over steps",
                {folder / "snapshots.csv": "accuracy" for folder in scores},
            ),
            *(
                Plot(
                    f"{title} {of} over w",
                    {folder / "guidance.csv": column for folder in scores},
                    x="w",
                    template="scatter",
                )
                for title, column in {"digit accuracy": "accuracy", "Fréchet distance": "distance"}.items()
            ),
        ],
        [Artifact(name, DIGITS_OUT / name, "noise predictor of digits") for name in names],
        [DIGITS_OUT / f"{name}-samples" / "grid.png" for name in names]
        + [folder / "confusion.png" for folder in scores],
    )


SECTIONS = {"diffusion": Diffusion, "ddim": Ddim}
OUTPUTS = {"diffusion": digits_outputs, "ddim": faces_outputs}


def faces_name(seed: int) -> str:
    """The name of a training on faces: "unet-0"."""
    return f"unet-{seed}"


def digits_name(model: str, seed: int) -> str:
    """The name of a training on digits: "context-unet-0"."""
    return f"{model}-{seed}"


def settings_of(model: str, params: Params) -> Settings:
    """The settings of a model of digits.

    Raises:
        UserError: no such model.
    """
    expect("model", model, params[Diffusion].settings)
    return params[Diffusion].settings[model]


def guidance_of(model: str, params: Params) -> Guidance:
    """The guidance of a model of digits.

    Raises:
        UserError: no such model.
    """
    expect("model", model, params[Diffusion].settings)
    return params[Diffusion].guidance.settings[model]


def digits_provenance(model: str, params: Params) -> Provenance:
    """What the training of a model of digits depends on.

    Raises:
        UserError: no such model, no prepared digits, or digits without labels.
    """
    settings = settings_of(model, params)
    card = read_card(DIGITS, DIGIT_SIZE)
    if card["label"] is None:
        raise UserError(f"the digits in {DIGITS} have no labels; prepare them from a source with labels")
    return Provenance(
        params={"seed": params.seed, "model": model, **settings.model_dump()},
        data={"mnistm": card["sha256"]},
        code=code_hashes(["dlcv.diffusion.train_digits"]),
    )


def faces_provenance(params: Params) -> Provenance:
    """What the training of the U-Net of faces depends on.

    Raises:
        UserError: no prepared faces of 64 pixels.
    """
    card = read_card(FACES, FACE_SIZE)
    section = params[Ddim]
    return Provenance(
        params={
            "seed": params.seed,
            "schedule": section.schedule.model_dump(),
            "network": section.network.model_dump(),
            "training": section.training.model_dump(),
        },
        data={"faces": card["sha256"]},
        code=code_hashes(["dlcv.diffusion.train_faces"]),
    )
