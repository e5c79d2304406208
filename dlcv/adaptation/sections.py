"""The typed sections `adaptation` and `dann` of params.yaml."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from dlcv.data.sections import Domain
from dlcv.fields import BelowOne, Positive, Rate, Share
from dlcv.params import Section


class Scenario(Section):
    """Labels of the source and pictures of the target teach; the target's validation set judges."""

    source: Domain
    target: Domain

    @model_validator(mode="after")
    def _two_domains(self) -> Scenario:
        if self.source == self.target:
            raise ValueError("source and target have to be two domains")
        return self


class Augmentation(Section):
    """Random changes of training pictures, of source and target alike; 0 switches one off."""

    rotation: Annotated[float, Field(ge=0, le=180)]  # degrees, at most, either way
    shift: Annotated[float, Field(ge=0)]  # pixels, at most, either way
    scale: Annotated[float, Field(ge=0)]  # natural logarithm of the factor, at most, either way
    background: Annotated[float, Field(ge=0)]  # of a smooth field of colours, in the picture's own deviation, at most
    invert: Share  # of the channels have their brightness inverted


class Training(Section):
    """What every method has in common, so that a comparison compares the methods alone."""

    steps: Positive  # updates
    batch_size: Annotated[int, Field(gt=1)]  # pictures of each domain
    learning_rate: Rate  # the largest, of AdamW
    schedule: Literal["constant", "cosine"]  # cosine: a linear warm-up, then down to 0
    weight_decay: Annotated[float, Field(ge=0)]
    label_smoothing: BelowOne
    dropout: BelowOne
    instance_norm: bool  # of each input picture, per channel
    augmentation: Augmentation
    ema_decay: BelowOne  # of the averaged weights, which are the result; 0 for the last ones
    precision: Literal["fp32", "bf16", "fp16"]


class TSNE(Section):
    """The embedding of validation features."""

    pictures: Annotated[int, Field(ge=20)]  # of each domain, in equal numbers
    perplexity: Rate

    @model_validator(mode="after")
    def _neighbours(self) -> TSNE:
        # openTSNE looks at 3 perplexity neighbours and would lower the perplexity without a word.
        if 3 * self.perplexity > 2 * self.pictures - 1:
            raise ValueError("perplexity has to be below two thirds of pictures")
        return self


class Adaptation(Section):
    """Domain adaptation on digits."""

    network: Literal["lenet"]
    scenarios: Annotated[dict[str, Scenario], Field(min_length=1)]
    training: Training
    tsne: TSNE

    @model_validator(mode="after")
    def _names(self) -> Adaptation:
        for name, scenario in self.scenarios.items():
            if name != f"{scenario.source}-{scenario.target}":
                raise ValueError(f"scenario {name} has to be named {scenario.source}-{scenario.target}")
        return self


class Dann(Section):
    """Domain-adversarial training, Ganin et al. 2016."""

    # The one key that is no Python name.
    lambda_: Annotated[float, Field(alias="lambda", ge=0)]  # of the gradient reversal at the end
    gamma: Rate  # steepness of the rise of lambda and of the weight of information
    joint_batch: bool  # both domains in one forward pass, so in one BatchNorm
    information: Annotated[float, Field(ge=0)]  # weight of information maximisation on the target; 0: Ganin et al.


# Every method, and the section of params.yaml that is its own. They stand here, where nothing can
# change an output, so that adding a method makes no other training stale.
METHODS: dict[str, type[Section] | None] = {"supervised": None, "dann": Dann}
