"""The section `vae` of params.yaml, and what the training depends on. Light to import."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from dlcv.data.prepared import read_card
from dlcv.runtime.config import Params, Section
from dlcv.runtime.errors import UserError
from dlcv.runtime.fields import BelowOne, Nonnegative, Positive, PositiveFloat, Precision, Schedule, Seeds
from dlcv.runtime.outputs import Artifact, Outputs, Plot
from dlcv.runtime.provenance import Provenance, code_hashes

FACES = Path("data/faces")
OUT = Path("out/vae")
SUMMARY = Path("out/vae-summary")
METRICS = Path("metrics/vae.json")
SIZE = 64  # pixels of the faces, as the network needs them

Width = Annotated[float, Field(ge=1 / 32)]  # at least one channel in each layer


class Training(Section):
    """How the network is trained."""

    steps: Positive
    batch_size: Annotated[int, Field(gt=1)]
    learning_rate: PositiveFloat  # peak, of AdamW
    schedule: Schedule
    weight_decay: Nonnegative
    kl_weight: Nonnegative  # of the KL divergence in nats, beside the mean squared error in [-1, 1]
    flip: bool  # mirror each image with probability 1/2
    ema_decay: BelowOne  # of the averaged weights, which are the result; 0 keeps the last ones
    snapshots: Positive  # at equal distances, the last one at the last step
    precision: Precision


class TSNE(Section):
    """The t-SNE map of the latent means."""

    images: Annotated[int, Field(ge=20)]  # maximum number of validation images
    perplexity: PositiveFloat

    @model_validator(mode="after")
    def _neighbours(self) -> TSNE:
        # openTSNE uses 3 * perplexity neighbours and lowers the perplexity silently if there are fewer.
        if 3 * self.perplexity > self.images - 1:
            raise ValueError("perplexity has to be below a third of images")
        return self


class Vae(Section):
    """A variational autoencoder on faces."""

    seeds: Seeds  # a training for each
    width: Width  # factor on the channels; 1 as the report prints them
    latent: Positive  # dimensions
    samples: Positive  # images
    training: Training
    tsne: TSNE


def outputs(params: Params) -> Outputs:
    """Curves and weights of the autoencoder."""
    names = [name_of(seed) for seed in params[Vae].seeds]
    return Outputs(
        [
            Plot(
                f"{title} of the VAE",
                {OUT / name / "curve.csv": column for name in names}
                | {
                    OUT / f"{name}-evaluation" / "losses.csv": [f"training_{column}", f"validation_{column}"]
                    for name in names
                },
            )
            for title, column in {"reconstruction error": "reconstruction", "KL divergence": "kl"}.items()
        ],
        [Artifact(name, OUT / name, "variational autoencoder of faces") for name in names],
        [
            OUT / f"{name}-evaluation" / f"{figure}.png"
            for name in names
            for figure in ("reconstructions", "samples", "samples-fitted")
        ],
    )


SECTIONS = {"vae": Vae}
OUTPUTS = {"vae": outputs}


def name_of(seed: int) -> str:
    """The name of a training: "vae-0"."""
    return f"vae-{seed}"


def provenance_of(params: Params) -> Provenance:
    """What the training depends on.

    Raises:
        UserError: no prepared faces of 64 pixels, or too few of them.
    """
    card = read_card(FACES, SIZE)
    if (count := card["splits"]["train"]["count"]) < 2:
        raise UserError(f"{FACES} has {count} training image; a batch needs at least 2")
    section = params[Vae]
    return Provenance(
        params={
            "seed": params.seed,
            "width": section.width,
            "latent": section.latent,
            "training": section.training.model_dump(),
        },
        data={"faces": card["sha256"]},
        code=code_hashes(["dlcv.vae.train"]),
    )
