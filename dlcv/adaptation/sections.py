"""The typed sections `adaptation`, `dann`, `gta` and `selftraining` of params.yaml."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from dlcv.data.sections import Domain
from dlcv.fields import BelowOne, Nonnegative, Positive, Rate, Share
from dlcv.params import Section

Seed = Annotated[int, Field(ge=0, lt=2**32)]
Network = Literal["lenet", "deep", "wide", "mish", "compact"]
Schedule = Literal["constant", "cosine", "restarts"]


class Scenario(Section):
    """Labels of the source and pictures of the target teach; the target's validation set judges."""

    source: Domain
    target: Domain

    @model_validator(mode="after")
    def _two_domains(self) -> Scenario:
        if self.source == self.target:
            raise ValueError("source and target have to be two domains")
        return self


class Deep(Section):
    """The network of report 001."""

    poolings: Literal[2, 5]  # 2 as it prints, 5 as its reference has it


class Mish(Section):
    """The network of report 004."""

    hidden: Annotated[list[Positive], Field(min_length=1)]  # widths of the class head


class NetworkSettings(Section):
    """Of the networks that have some."""

    deep: Deep
    mish: Mish


class Augmentation(Section):
    """Random changes of training pictures; 0 switches one off."""

    rotation: Annotated[float, Field(ge=0, le=180)]  # degrees, at most, either way
    shear: Nonnegative  # pixels of a side that the other moves by, as a share of it, at most, either way
    shift: Nonnegative  # pixels, at most, along each axis, either way
    scale: Nonnegative  # natural logarithm of the factor, at most, either way
    blend: Share  # of the grey pictures are taken off a random texture, in absolute value
    blur: Share  # of the pictures are smoothed, once or twice
    background: Nonnegative  # of a smooth field of colours, in the picture's own deviation, at most
    invert: Share  # of the channels have their brightness inverted
    noise: Nonnegative  # deviation of noise on every value, at most, in the picture's own deviation


class Training(Section):
    """Of every method; `gta` and `selftraining` bring some of it themselves and say so in sections of their own.

    Generate To Adapt has Adam with its own rate, no dropout and no weight decay, its steps and averaging;
    self-training its steps, rate, schedule, dropout, normalisation, augmentation and averaging.
    """

    steps: Positive  # updates
    batch_size: Annotated[int, Field(gt=1)]  # pictures of each domain
    learning_rate: Rate  # the largest, of AdamW
    schedule: Schedule  # cosine: a linear warm-up, then down to 0; restarts: report 003
    weight_decay: Nonnegative
    label_smoothing: BelowOne
    dropout: BelowOne
    instance_norm: bool  # of each input picture, per channel
    augmentation: Augmentation  # of source and target alike
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


class Variant(Section):
    """DANN with other settings; what a variant does not name is as it stands for everyone."""

    network: Network | None = None
    poolings: Literal[2, 5] | None = None  # of `deep`
    hidden: Annotated[list[Positive], Field(min_length=1)] | None = None  # of `mish`
    dropout: BelowOne | None = None
    learning_rate: Rate | None = None
    weight_decay: Nonnegative | None = None
    schedule: Schedule | None = None
    update: Literal["joint", "alternating"] | None = None
    lambda_: Annotated[float | None, Field(alias="lambda", ge=0)] = None
    joint_batch: bool | None = None
    information: Nonnegative | None = None


class Comparison(Section):
    """Which variants are compared, on which scenarios; each by DANN and by the source alone."""

    variants: Annotated[list[str], Field(min_length=1)]
    scenarios: Annotated[list[str], Field(min_length=1)]
    steps: Positive  # of each training
    seed: Seed  # apart from those of the methods, so that a new one of them trains no variant anew


class Methods(Section):
    """The scenarios that each method is trained on."""

    dann: list[str]
    gta: list[str]
    selftraining: list[str]


class Adaptation(Section):
    """Domain adaptation on digits."""

    network: Network  # of every method that does not bring its own
    networks: NetworkSettings
    scenarios: Annotated[dict[str, Scenario], Field(min_length=1)]
    methods: Methods
    seeds: Annotated[list[Seed], Field(min_length=1)]  # each of them trains anew
    training: Training
    validator: Literal["information", "entropy", "source_accuracy"]
    tsne: TSNE
    variants: dict[str, Variant]
    comparison: Comparison

    @model_validator(mode="after")
    def _names(self) -> Adaptation:
        for name, scenario in self.scenarios.items():
            if name != f"{scenario.source}-{scenario.target}":
                raise ValueError(f"scenario {name} has to be named {scenario.source}-{scenario.target}")
        lists = {f"methods.{method}": names for method, names in self.methods}
        for key, names in {**lists, "comparison.scenarios": self.comparison.scenarios}.items():
            _only(key, names, self.scenarios, "scenarios")
        trained = {name for names in lists.values() for name in names}
        for name in self.scenarios:
            if name not in trained:
                raise ValueError(
                    f"no list of methods has the scenario {name}; add it to one, or take it out of scenarios"
                )
        _only("comparison.variants", self.comparison.variants, self.variants, "variants")
        _only("seeds", self.seeds, self.seeds, "seeds")
        return self


def _only(key: str, names: list[str] | list[int], known: object, where: str) -> None:
    """Refuse a list with a name that is not in `known`, or with one twice: DVC would have one stage for both."""
    for name in names:
        if name not in known:  # type: ignore[operator]
            raise ValueError(f"{key} names {name}, which {where} does not have")
    if len(set(names)) < len(names):
        raise ValueError(f"{key} names something twice")


class Dann(Section):
    """Domain-adversarial training, Ganin et al. 2016."""

    # The one key that is no Python name.
    lambda_: Annotated[float, Field(alias="lambda", ge=0)]  # of the gradient reversal at the end
    gamma: Rate  # steepness of the rise of lambda and of the weight of information
    update: Literal["joint", "alternating"]  # by gradient reversal, or the domain head first (report 001)
    joint_batch: bool  # both domains in one forward pass, so in one BatchNorm
    information: Nonnegative  # weight of information maximisation on the target; 0: Ganin et al.


class Gta(Section):
    """Generate To Adapt, Sankaranarayanan et al. 2018, as report 002 has it."""

    width: Rate  # factor on the channels of generator and discriminator; 1 is as the report prints them
    noise: Positive  # dimensions of the generator's noise
    steps: Positive
    learning_rate: Rate  # of Adam, for all four networks
    beta1: BelowOne
    rate_decay: Nonnegative  # the rate is divided by 1 + this times the step; not the generator's
    adversarial_weight: Nonnegative  # of the discriminator's word in the feature network's loss
    target_weight: Nonnegative  # of the target in that
    grey: list[str]  # scenarios whose pictures are made grey first
    ema_decay: BelowOne


class SelfTraining(Section):
    """Self-training by an average of the weights, after French et al. 2018 and Sohn et al. 2020."""

    network: Network
    steps: Positive
    learning_rate: Rate  # the largest, of AdamW
    schedule: Schedule
    dropout: BelowOne
    instance_norm: bool  # of each input picture, per channel
    teacher_decay: BelowOne  # of the averaged weights, which are teacher and result
    confidence: Share  # of the teacher, from which it teaches a class that is a tenth of its answers or more
    balance: Share  # how far the confidence asked for falls with the share of a class that is answered seldom
    target_weight: Nonnegative  # of the target's loss at the end
    information: Nonnegative  # weight of information maximisation on the target, at the end
    source: Augmentation  # of what teaches by its labels
    weak: Augmentation  # of what the teacher sees
    strong: Augmentation  # of what the student sees of the target


# Every method. They stand here, in a file that no stage depends on, so that adding a method makes no other training
# stale. NAME_source is what NAME has of the source alone.
METHODS = ("supervised", "dann", "gta_source", "gta", "selftraining_source", "selftraining")
