"""The scores of a method in one scenario, over its seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from dlcv.adaptation.config import Adaptation
from dlcv.adaptation.networks.digits import CLASSES, DomainNetwork
from dlcv.adaptation.statistics import adapt_statistics
from dlcv.adaptation.tasks import Domain, domain
from dlcv.adaptation.trained import Answers, answer, load
from dlcv.adaptation.validators import IMAGES, choice, signs
from dlcv.evaluation.metrics.classification import accuracy, confusion_matrix, per_class
from dlcv.evaluation.metrics.intervals import paired_bootstrap
from dlcv.evaluation.metrics.proxy_a_distance import proxy_a_distance
from dlcv.evaluation.subsets import balanced
from dlcv.runtime.config import Params

DISTANCE_IMAGES = 2000  # of each domain, at most: a linear classifier learns no more from 9,000

LABELS = {
    "trained_on_source": "trained on source",
    "dann": "DANN",
    "gta_source": "trained on source, as Generate To Adapt",
    "gta": "Generate To Adapt",
    "selftraining_source": "trained on source, as self-training",
    "selftraining": "self-training",
    "trained_on_target": "trained on target",
}


@dataclass(frozen=True)
class Judged:
    """A trained network and its answers to validation images."""

    about: dict[str, Any]  # the JSON beside its weights
    on_source: Answers
    on_target: Answers
    signs: dict[str, float]  # of `dlcv.adaptation.validators`


def judge(folder: Path, source: Domain, target: Domain) -> Judged:
    """Ask the network in `folder` about the validation images of both domains, and the validator about it.

    Raises:
        UserError: no weights, or no prepared data.
    """
    network, about = load(folder)
    taught = about["method"] == "dann"
    on_target = answer(network, target.images, taught)
    unlabelled = answer(network, domain(target.name, "train").images[:IMAGES])
    if about["method"] == "selftraining":
        # It has the target's statistics, and learned from the source with the source's.
        assert isinstance(network, DomainNetwork)
        adapt_statistics(network, domain(source.name, "train").images)
    on_source = answer(network, source.images, taught)
    return Judged(about, on_source, on_target, signs(on_source, source, unlabelled.logits))


def accuracy_by_target_statistics(folder: Path, target: Domain) -> float:
    """The accuracy on the target of the network in `folder`, once its BatchNorm has the target's statistics (AdaBN).

    Of what self-training gains over the source alone, so much needs no pseudo-labels: asked of `selftraining_source`,
    whose statistics are the source's, taken in the same way.
    """
    network, _ = load(folder)
    assert isinstance(network, DomainNetwork)
    adapt_statistics(network, domain(target.name, "train").images)
    return float((answer(network, target.images).digits == target.labels).mean())


def choose(judged: Sequence[Judged], target: Domain, criterion: str) -> dict[str, Any]:
    """`validator.choice` among trained networks; of some with the same weights the first stands for all."""
    different: dict[str, Judged] = {}
    for one in judged:
        different.setdefault(one.about["sha256"], one)
    return choice(
        {one.about["name"]: one.signs for one in different.values()},
        criterion,
        {one.about["name"]: float((one.on_target.digits == target.labels).mean()) for one in different.values()},
    )


def score(judged: Sequence[Judged], source: Domain, target: Domain, seed: int) -> dict[str, Any]:
    """The scores of one method from one or several seeds.

    Accuracies and shares are means over the seeds, and so are the ends of the interval: it speaks of these images,
    the standard deviation of the seeds. `confusion` counts the images of all seeds.

    Args:
        seed: of the folds of the proxy A-distance, which is that of the first network.
    """
    each = [accuracy(one.on_target.digits == target.labels) for one in judged]
    confusion = sum(confusion_matrix(target.labels, one.on_target.digits, CLASSES) for one in judged)
    assert isinstance(confusion, np.ndarray)
    count = balanced_count(source, target, DISTANCE_IMAGES)
    first = judged[0]
    scores: dict[str, Any] = {
        "accuracy": mean(one["accuracy"] for one in each),
        "interval": {end: mean(one["interval"][end] for one in each) for end in ("low", "high")},
        "seeds": {str(one.about["seed"]): value["accuracy"] for one, value in zip(judged, each, strict=True)},
        "source_accuracy": mean(float((one.on_source.digits == source.labels).mean()) for one in judged),
        "proxy_a_distance": proxy_a_distance(
            first.on_source.features[balanced(source.labels, count, seed)],
            first.on_target.features[balanced(target.labels, count, seed)],
            seed,
        ),
    }
    if len(judged) > 1:
        scores["standard_deviation"] = float(np.std([one["accuracy"] for one in each], ddof=1))
    domains = [domain_accuracy(one) for one in judged if one.on_source.target is not None]
    if domains:
        scores["domain_accuracy"] = mean(domains)
    return {**scores, "per_class": per_class(confusion), "confusion": confusion.tolist()}


def domain_accuracy(judged: Judged) -> float:
    """Mean of the two domains' shares of right answers of the domain head: 1/2 is chance whatever the counts."""
    on_source, on_target = judged.on_source.target, judged.on_target.target
    assert on_source is not None and on_target is not None
    return float(((~on_source).mean() + on_target.mean()) / 2)


def gain(judged: Sequence[Judged], base: Sequence[Judged], target: Domain, seed: int) -> dict[str, Any]:
    """How much more of the target a method reads than `base`, networks trained on the source alone, seed by seed.

    Returns:
        The mean over the seeds, the means of the ends of each seed's interval, which is paired (both networks answered
        the same images), and each seed's own.
    """
    pairs = [
        paired_bootstrap(one.on_target.digits == target.labels, other.on_target.digits == target.labels, seed)
        for one, other in zip(judged, base, strict=True)
    ]
    point, low, high = (mean(values) for values in zip(*pairs, strict=True))
    return {
        "over_trained_on_source": point,
        "interval": {"low": low, "high": high},
        "seeds": {str(one.about["seed"]): pair[0] for one, pair in zip(judged, pairs, strict=True)},
    }


def mean(values: Any) -> float:
    """The mean of some numbers."""
    return float(np.mean(list(values)))


def label(row: str, about: dict[str, Any]) -> str:
    """What a table calls the row: the method by its whole name, so that a figure stands under what it deserves."""
    name = LABELS[row]
    if row == "dann":
        dann = about["params"]["dann"]
        name += " (alternating)" if dann["update"] == "alternating" else ""
        name += " + information maximisation" if dann["information"] else ""
    return name


def protocol(source: Domain, target: Domain, seeds: Sequence[int], params: Params) -> dict[str, Any]:
    """How the scores came about; no time and no commit: same inputs, same bytes."""
    packages = ("numpy", "scikit-learn", "torch")
    return {
        "images": {
            role: {"domain": side.name, "split": "val", "count": len(side.images), "sha256": side.card["sha256"]}
            for role, side in {"source": source, "target": target}.items()
        },
        "seeds": list(seeds),
        "selection": "the last step",
        "validator": {
            "criterion": params[Adaptation].validator,
            "images": f"at most {IMAGES} of the target's training set, without labels",
        },
        "proxy_a_distance": {"images_of_each_domain": balanced_count(source, target, DISTANCE_IMAGES)},
        "interval": "95 %: Wilson for shares, paired bootstrap for gains; means over the seeds",
        "versions": {package: version(package) for package in packages},
    }


def tsne_settings(source: Domain, target: Domain, params: Params) -> tuple[int, float]:
    """Images of each domain and perplexity of a t-SNE: what is asked for, or as much as there are and allow."""
    section = params[Adaptation].tsne
    count = balanced_count(source, target, section.images)
    # openTSNE looks at 3 perplexity neighbours, and would lower the perplexity without a word.
    return count, min(section.perplexity, (2 * count - 1) / 3)


def balanced_count(source: Domain, target: Domain, most: int) -> int:
    """How many images of each domain can be looked at in equal numbers, `most` at most."""
    return min(len(source.labels), len(target.labels), most)
