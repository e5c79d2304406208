"""The typed section `vae` of params.yaml."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from dlcv.fields import BelowOne, Nonnegative, Positive, Rate
from dlcv.params import Section

Width = Annotated[float, Field(ge=1 / 32)]  # no fewer than one channel in any layer


class Training(Section):
    """How the network is trained."""

    steps: Positive  # updates
    batch_size: Annotated[int, Field(gt=1)]  # pictures
    learning_rate: Rate  # the largest, of AdamW
    schedule: Literal["constant", "cosine"]  # cosine: a linear warm-up, then down to 0
    weight_decay: Nonnegative
    # The loss is the squared error, the mean over a picture's 12,288 values in [-1, 1], plus this times the KL
    # divergence in nats, the sum over the latent; each the mean over pictures.
    kl_weight: Nonnegative
    flip: bool  # mirror each picture with probability 1/2
    ema_decay: BelowOne  # of the averaged weights, which are the result; 0 for the last ones
    snapshots: Positive  # of the network, at equal distances, the last step's among them
    precision: Literal["fp32", "bf16", "fp16"]


class TSNE(Section):
    """The map of the latent means."""

    pictures: Annotated[int, Field(ge=20)]  # of validation, at most
    perplexity: Rate

    @model_validator(mode="after")
    def _neighbours(self) -> TSNE:
        # openTSNE looks at 3 perplexity neighbours and would lower the perplexity without a word.
        if 3 * self.perplexity > self.pictures - 1:
            raise ValueError("perplexity has to be below a third of pictures")
        return self


class Vae(Section):
    """A variational autoencoder on faces."""

    width: Width  # factor on the channels; 1 is as the report prints them
    latent: Positive  # dimensions
    samples: Positive  # pictures
    training: Training
    tsne: TSNE
