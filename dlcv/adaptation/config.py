"""The sections of domain adaptation in params.yaml, its methods and its trainings. Light to import.

A method is declared here, in `METHODS`, with its section; its algorithm is in `methods/`. Everything else follows: the
choices of the command, the rows of the tables, the plots and artifacts, and what the report prints.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from dlcv.data.config import Data, Domain
from dlcv.runtime.config import Params, Section, key_of
from dlcv.runtime.fields import BelowOne, Fraction, Nonnegative, Positive, PositiveFloat, Precision, Seeds
from dlcv.runtime.outputs import Artifact, Outputs, Plot

DIGITS = Path("data/digits")
OUT = Path("out/adaptation")
METRICS = Path("metrics/adaptation")
STAGES = "stages/adaptation/dvc.yaml"
SIZE = 28  # pixels


def evaluation_folder(scenario: str) -> Path:
    """Scores and figures of a scenario."""
    return OUT / f"{scenario}-evaluation"


Network = Annotated[str, key_of("dlcv.adaptation.networks.digits", "NETWORKS")]
Schedule = Annotated[str, key_of("dlcv.engine.optimizers", "SCHEDULES")]
ClassShares = Literal["uniform", "estimated"]  # of the target
Validator = Annotated[str, key_of("dlcv.adaptation.validators", "VALIDATORS")]


class Scenario(Section):
    """A labelled source domain and an unlabelled target domain, whose validation images are scored."""

    source: Domain
    target: Domain

    @model_validator(mode="after")
    def _two_domains(self) -> Scenario:
        if self.source == self.target:
            raise ValueError("source and target have to be two domains")
        return self


class Deep(Section):
    """The network of report 001."""

    poolings: Literal[2, 5]  # 2 as the report prints it, 5 as in its reference


class Mish(Section):
    """The network of report 004."""

    hidden: Annotated[list[Positive], Field(min_length=1)]  # widths of the class head


class NetworkSettings(Section):
    """Settings of single networks."""

    deep: Deep
    mish: Mish


class Augmentation(Section):
    """Random changes of training images; 0 switches one off."""

    rotation: Annotated[float, Field(ge=0, le=180)]  # maximum, in degrees
    shear: Nonnegative  # maximum shift of one side against the other, as a fraction of the height
    shift: Nonnegative  # maximum along each axis, in pixels
    scale: Nonnegative  # maximum of the factor's natural logarithm
    blend: Fraction  # of the grey images are blended into a random texture, as MNIST-M is made
    blur: Fraction  # of the images are smoothed once or twice
    background: Nonnegative  # maximum of a smooth colour field, in standard deviations of the image
    invert: Fraction  # of the channels are inverted
    noise: Nonnegative  # maximum standard deviation, in standard deviations of the image


class Training(Section):
    """Of every method; `gta` and `selftraining` replace some of it by settings of their own."""

    steps: Positive
    batch_size: Annotated[int, Field(gt=1)]  # images of each domain
    learning_rate: PositiveFloat  # peak, of AdamW
    schedule: Schedule
    weight_decay: Nonnegative
    label_smoothing: BelowOne
    dropout: BelowOne
    instance_norm: bool  # normalise each channel of each input image
    augmentation: Augmentation  # of source and target
    ema_decay: BelowOne  # of the averaged weights, which are the result; 0 keeps the last ones
    precision: Precision


class TSNE(Section):
    """The t-SNE map of validation features."""

    images: Annotated[int, Field(ge=20)]  # of each domain
    perplexity: PositiveFloat

    @model_validator(mode="after")
    def _neighbours(self) -> TSNE:
        # openTSNE uses 3 * perplexity neighbours and lowers the perplexity silently where there are fewer.
        if 3 * self.perplexity > 2 * self.images - 1:
            raise ValueError("perplexity has to be below two thirds of images")
        return self


class Dann(Section):
    """Domain-adversarial training, Ganin et al. 2016."""

    # The one key that is no Python name.
    lambda_: Annotated[float, Field(alias="lambda", ge=0)]  # final strength of the gradient reversal
    gamma: PositiveFloat  # steepness of the ramp of lambda and of information
    update: Literal["joint", "alternating"]  # gradient reversal, or the domain head first (report 001)
    joint_batch: bool  # both domains in one forward pass, with common BatchNorm statistics
    information: Nonnegative  # weight of information maximisation on the target; 0 for Ganin et al. alone
    class_shares: ClassShares  # to which information maximisation leads


class Gta(Section):
    """Generate To Adapt, Sankaranarayanan et al. 2018, as in report 002."""

    width: PositiveFloat  # factor on the channels of generator and discriminator; 1 as the report prints them
    noise: Positive  # dimensions of the generator's noise
    steps: Positive
    learning_rate: PositiveFloat  # of Adam, for all four networks
    beta1: BelowOne
    learning_rate_decay: Nonnegative  # learning rate / (1 + this * step), except the generator's
    adversarial_weight: Nonnegative  # of the discriminator's terms in the loss of F
    target_weight: Nonnegative  # of the target's term among these
    grey: list[str]  # scenarios whose images are converted to grey
    ema_decay: BelowOne


class SelfTraining(Section):
    """Mean teacher with pseudo-labels, after French et al. 2018 and Sohn et al. 2020."""

    network: Network
    steps: Positive
    learning_rate: PositiveFloat  # peak, of AdamW
    schedule: Schedule
    dropout: BelowOne
    instance_norm: bool  # normalise each channel of each input image
    teacher_decay: BelowOne  # of the averaged weights, which are the teacher and the result
    threshold: Fraction  # confidence above which a prediction becomes a pseudo-label
    threshold_balance: Fraction  # how much the threshold is lowered for rarely predicted classes
    target_weight: Nonnegative  # of the target's loss, at the end of its ramp
    information: Nonnegative  # weight of information maximisation on the target, at the end of the same ramp
    class_shares: ClassShares  # to which information maximisation leads
    source: Augmentation  # of labelled source images
    weak: Augmentation  # of the teacher's target images
    strong: Augmentation  # of the student's target images


class Ceiling(Section):
    """Training on the labels of the target, the ceiling of all methods; the rest is as in `adaptation.training`."""

    network: Network
    steps: Positive
    learning_rate: PositiveFloat  # peak, of AdamW
    augmentation: Augmentation


class Variant(Section):
    """Settings of DANN and of its source-only baseline that differ from those of `adaptation`."""

    network: Network | None = None
    poolings: Literal[2, 5] | None = None  # of `deep`
    hidden: Annotated[list[Positive], Field(min_length=1)] | None = None  # of `mish`
    dropout: BelowOne | None = None
    learning_rate: PositiveFloat | None = None
    weight_decay: Nonnegative | None = None
    schedule: Schedule | None = None
    dann: Dann | None = None  # in place of the section `dann`


class Comparison(Section):
    """The variants that are trained, and on what. Each is compared with a source-only baseline of equal settings."""

    networks: list[str]  # variants trained by the section `dann`
    updates: list[str]  # variants with a section `dann` of their own, which a change of `dann` does not touch
    baselines: list[str]  # variants whose source-only baseline is trained, one for each set of equal settings
    scenarios: Annotated[list[str], Field(min_length=1)]
    sources: list[Domain]  # the source domains of these scenarios
    steps: Positive  # of each training
    seeds: Seeds  # apart from those of the methods, so that a new seed of the methods trains no variant

    @property
    def variants(self) -> list[str]:
        """The variants that are compared, in the order of the table."""
        return [*self.networks, *self.updates]


@dataclass(frozen=True)
class Method:
    """A method of domain adaptation, a source-only baseline, or the ceiling.

    Attributes:
        label: in tables and figures.
        module: file in `methods/` with the function that has the method's name and returns its `Plan`.
        on: whether a training is of a domain or of a scenario.
        baseline: name of the source-only training that it is compared with; its own for a baseline and the ceiling.
        adapts: whether it trains on images of the target without their labels.
        section: type of its own top-level section of params.yaml, which has the method's name.
        curves: columns of its `curve.csv` that `dvc plots` shows.
        caption: what its curve shows; a baseline's curve is not in the report.
        examples: what the images of its network's `examples` show, for a network that has this method.
    """

    label: str
    module: str
    on: Literal["domain", "scenario"]
    baseline: str
    adapts: bool = True
    section: type[Section] | None = None
    curves: tuple[str, ...] = ("class_loss",)
    caption: str = ""
    examples: str = ""

    @property
    def title(self) -> str:
        """The label in a phrase: "class loss of ..."."""
        phrase = self.label.replace("source-only", "source-only training").replace("trained on", "training on the")
        return self.label if self.adapts else phrase


METHODS: dict[str, Method] = {
    "supervised": Method("source-only", "supervised", on="domain", baseline="supervised", adapts=False),
    "ceiling": Method(
        "trained on target", "supervised", on="domain", baseline="ceiling", adapts=False, section=Ceiling
    ),
    "dann": Method(
        "DANN",
        "dann",
        on="scenario",
        baseline="supervised",
        section=Dann,
        curves=("class_loss", "domain_loss", "domain_accuracy"),
        caption="Training of DANN: class and domain loss, lambda and information (nats); accuracies on training "
        "batches, where a domain accuracy of 1/2 is chance.",
    ),
    "gta_source": Method(
        "source-only, as Generate To Adapt", "gta", on="scenario", baseline="gta_source", adapts=False
    ),
    "gta": Method(
        "Generate To Adapt",
        "gta",
        on="scenario",
        baseline="gta_source",
        section=Gta,
        curves=("class_loss", "domain_loss", "domain_accuracy", "generator_loss", "discriminator_loss"),
        caption="Training of Generate To Adapt: losses of C (class), D, G and F (features); D's loss and accuracy on "
        "real images and on those generated from the target (domain).",
        examples="Images that G generates: from the features of source images with their classes, and from the "
        "features of target images without a class. The method works if the latter look like the source and show the "
        "digits of the target.",
    ),
    "selftraining_source": Method(
        "source-only, as self-training",
        "selftraining",
        on="domain",
        baseline="selftraining_source",
        adapts=False,
    ),
    "selftraining": Method(
        "self-training",
        "selftraining",
        on="scenario",
        baseline="selftraining_source",
        section=SelfTraining,
        curves=("class_loss", "target_loss", "pseudo_label_share"),
        caption="Training of self-training: class loss on the source, loss on the pseudo-labels (target) and "
        "information (nats); the fraction of target images with a pseudo-label, and the teacher's share of the class "
        "that it predicts least.",
    ),
}
ADAPTING = [name for name, method in METHODS.items() if method.adapts]
SUPERVISED = "supervised"  # on the source of every scenario
CEILING = "ceiling"  # on the target of every scenario
COMPARED = "dann"  # the method of the variants


class Adaptation(Section):
    """Domain adaptation on digits."""

    network: Network  # of every method without a network of its own
    networks: NetworkSettings
    scenarios: Annotated[dict[str, Scenario], Field(min_length=1)]
    methods: dict[str, list[str]]  # the scenarios that each method is trained on
    baselines: dict[str, list[Domain]]  # the source domains of a method whose baseline is trained on domains
    seeds: Seeds  # a training of every method for each
    training: Training
    validator: Validator
    tsne: TSNE
    variants: dict[str, Variant]
    comparison: Comparison

    def check(self, params: Params) -> None:
        """The domains of the scenarios are prepared."""
        for name, scenario in self.scenarios.items():
            for domain in (scenario.source, scenario.target):
                if domain not in params[Data].domains:
                    raise ValueError(f"scenarios.{name} needs {domain}, which data.domains lacks; add it there")

    @model_validator(mode="after")
    def _names(self) -> Adaptation:
        for name, scenario in self.scenarios.items():
            if name != f"{scenario.source}-{scenario.target}":
                raise ValueError(f"scenario {name} has to be named {scenario.source}-{scenario.target}")
        _listed("methods", list(self.methods), ADAPTING, "dlcv.adaptation.config.METHODS")
        lists = {f"methods.{method}": names for method, names in self.methods.items()}
        for key, names in {**lists, "comparison.scenarios": self.comparison.scenarios}.items():
            _listed(key, names, self.scenarios, "scenarios")
        trained = {name for names in lists.values() for name in names}
        for name in self.scenarios:
            if name not in trained:
                raise ValueError(
                    f"no list of methods has the scenario {name}; add it to one, or take it out of scenarios"
                )
        return self

    @model_validator(mode="after")
    def _sources(self) -> Adaptation:
        """The lists of source domains, which DVC's matrices cannot derive from those of scenarios."""
        wanted = {
            f"baselines.{method}": (self.baselines.get(method, []), scenarios)
            for method, scenarios in self.methods.items()
            if (own := METHODS[method].baseline) != SUPERVISED and METHODS[own].on == "domain"
        }
        wanted["comparison.sources"] = (self.comparison.sources, self.comparison.scenarios)
        for key, (domains, scenarios) in wanted.items():
            _listed(key, domains, domains, key)
            sources = list(dict.fromkeys(self.scenarios[name].source for name in scenarios))
            if set(domains) != set(sources):
                raise ValueError(f"{key} has to be the source domains of its scenarios, {sources}, not {domains}")
        return self

    @model_validator(mode="after")
    def _variants(self) -> Adaptation:
        comparison = self.comparison
        for key in ("networks", "updates", "baselines"):
            _listed(f"comparison.{key}", getattr(comparison, key), self.variants, "variants")
        for key, names, own in (("networks", comparison.networks, False), ("updates", comparison.updates, True)):
            for name in names:
                if (self.variants[name].dann is not None) != own:
                    other = "updates" if key == "networks" else "networks"
                    raise ValueError(
                        f"variant {name} {'lacks' if own else 'has'} a section dann; list it in comparison.{other}"
                    )
        for name in comparison.variants:
            if self.baseline_variant(name) is None and not self.supervised_is_baseline(name):
                raise ValueError(
                    f"variant {name} has no source-only baseline of equal settings and seeds; add it to "
                    "comparison.baselines"
                )
        return self

    def with_variant(self, name: str) -> Adaptation:
        """This section with the overrides of the variant `name`, and with the steps of the comparison."""
        own = self.variants[name].model_dump(exclude_none=True)
        training = {key: value for key, value in own.items() if key in Training.model_fields}
        networks: dict[str, Section] = {}
        if "poolings" in own:
            networks["deep"] = Deep(poolings=own["poolings"])
        if "hidden" in own:
            networks["mish"] = Mish(hidden=own["hidden"])
        return self.model_copy(
            update={
                "network": own.get("network", self.network),
                "networks": self.networks.model_copy(update=networks),
                "training": self.training.model_copy(update=training | {"steps": self.comparison.steps}),
            }
        )

    def baseline_variant(self, variant: str) -> str | None:
        """The variant of equal settings whose source-only baseline is trained; None if there is none."""
        wanted = self.with_variant(variant)
        return next((name for name in self.comparison.baselines if wanted.trains_as(self.with_variant(name))), None)

    def supervised_is_baseline(self, variant: str) -> bool:
        """Whether `supervised` is trained as the source-only baseline of the variant: with equal settings and seeds."""
        return set(self.comparison.seeds) <= set(self.seeds) and self.trains_as(self.with_variant(variant))

    def trains_as(self, other: Adaptation) -> bool:
        """Whether a source-only training has the same settings in both."""
        keys = {"network", "networks", "training"}
        return self.model_dump(include=keys) == other.model_dump(include=keys)


def _listed(key: str, names: list[Any], known: object, where: str) -> None:
    """Refuse a list with a name that is not in `known`, or with one twice: DVC would have one stage for both."""
    for name in names:
        if name not in known:  # type: ignore[operator]
            raise ValueError(f"{key} names {name}, which {where} does not have")
    if len(set(names)) < len(names):
        raise ValueError(f"{key} names something twice")


SECTIONS: dict[str, type[Section]] = {
    "adaptation": Adaptation,
    **{name: method.section for name, method in METHODS.items() if method.section is not None},
}


def outputs(params: Params) -> Outputs:
    """Accuracies and curves, and the weights of every adapted network from the first seed."""
    from dlcv.adaptation.trainings import trainings, variants_of

    section, all_of = params[Adaptation], trainings(params)
    compared = METHODS[COMPARED]
    variants = [variants_of(name, params) for name in section.comparison.scenarios]
    # Title, columns and trainings of a group of plots.
    groups = [
        *((method.title, method.curves, all_of[name]) for name, method in METHODS.items()),
        (
            f"{compared.label}'s variants",
            compared.curves,
            [task for each in variants for pairs in each.values() for task, _ in pairs],
        ),
        (
            f"source-only baselines of {compared.label}'s variants",
            METHODS[compared.baseline].curves,
            [task for each in variants for pairs in each.values() for _, task in pairs if task.variant],
        ),
    ]
    accuracies = {evaluation_folder(name) / "accuracy.csv": "trained_by" for name in section.scenarios}
    plots = [Plot("accuracy on the target", accuracies, x="accuracy", template="bar_horizontal")]
    plots += [
        Plot(f"{column.replace('_', ' ')} of {title}", {task.folder / "curve.csv": column for task in tasks})
        for title, columns, tasks in groups
        for column in columns
        if tasks
    ]
    return Outputs(
        plots,
        [
            Artifact(f"{method}-{task.name}", task.folder, f"{METHODS[method].label} on {task.name}")
            for method in ADAPTING
            for task in all_of[method]
            if task.seed == section.seeds[0]
        ],
        [
            evaluation_folder(name) / f"{figure}.png"
            for name in section.scenarios
            for figure in ("confusion", "tsne-class")
        ],
    )


OUTPUTS = {"adaptation": outputs}
