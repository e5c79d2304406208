"""The scores of trained networks in one scenario; those of a method are means over its seeds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from dlcv.adaptation.benchmark import CORRELATED
from dlcv.adaptation.config import METHODS, Adaptation
from dlcv.adaptation.methods.common import adapt_statistics
from dlcv.adaptation.networks.digits import CLASSES
from dlcv.adaptation.predict import Predictions, load, predict
from dlcv.adaptation.trainings import Domain, load_domain
from dlcv.adaptation.validators import IMAGES, Seen, choice, validate
from dlcv.evaluation.metrics.classification import accuracy, confusion_matrix, pack, per_class
from dlcv.evaluation.metrics.intervals import paired_bootstrap
from dlcv.evaluation.metrics.proxy_a_distance import proxy_a_distance
from dlcv.evaluation.metrics.trainings import mean_difference
from dlcv.evaluation.subsets import balanced
from dlcv.evaluation.summary import summarise
from dlcv.runtime.config import Params

CANDIDATE_SCORES = ("information", "entropy", "source_accuracy")  # shown for each candidate, beside the criterion
DISTANCE_IMAGES = 2000  # maximum number of images of each domain; more do not improve a linear classifier


@dataclass(frozen=True)
class Evaluated:
    """A trained network and its predictions for the validation images of both domains."""

    about: dict[str, Any]  # the JSON beside its weights
    source: Predictions
    target: Predictions
    seen: Seen  # what validators see of it


def evaluated(folder: Path, source: Domain, target: Domain) -> Evaluated:
    """The predictions of the network in `folder`.

    Args:
        source, target: the validation images; the validators see training images of the target.

    Raises:
        UserError: no weights, or no prepared data.
    """
    network, about = load(folder)
    domains = about["domain_head"]
    on_target = predict(network, target.images, domains)
    unlabelled = predict(network, load_domain(target.name, "train").images[:IMAGES])
    if about["statistics"] == "domain":
        # The weights have the BatchNorm statistics of the target.
        adapt_statistics(network, load_domain(source.name, "train").images)
    on_source = predict(network, source.images, domains)
    seen = Seen(unlabelled.logits, unlabelled.features, on_source.logits, source.labels)
    return Evaluated(about, on_source, on_target, seen)


def accuracy_by_target_statistics(folder: Path, target: Domain) -> float:
    """The accuracy on the target of the network in `folder` with the target's BatchNorm statistics (AdaBN).

    For the source-only baseline of a method whose networks have the statistics of the domain: the part of the method's
    gain that needs no training on the target.
    """
    network, _ = load(folder)
    adapt_statistics(network, load_domain(target.name, "train").images)
    return float((predict(network, target.images).digits == target.labels).mean())


def choose(networks: Sequence[Evaluated], target: Domain, criterion: str) -> dict[str, Any]:
    """`dlcv.adaptation.validators.choice` among networks."""
    seen, accuracies = candidates_of(networks, target)
    return choice(validate(seen, (*CANDIDATE_SCORES, criterion)), criterion, accuracies)


def candidates_of(networks: Iterable[Evaluated], target: Domain) -> tuple[dict[str, Seen], dict[str, float]]:
    """What validators see of each network, and its accuracy on the target, by the name of the training.

    Of several networks with the same weights only the first is a candidate.
    """
    different: dict[str, Evaluated] = {}
    for network in networks:
        different.setdefault(network.about["sha256"], network)
    named = {one.about["name"]: one for one in different.values()}
    accuracies = {name: float((one.target.digits == target.labels).mean()) for name, one in named.items()}
    return {name: one.seen for name, one in named.items()}, accuracies


def score(networks: Sequence[Evaluated], source: Domain, target: Domain, seed: int) -> dict[str, Any]:
    """The scores of one method from one or several seeds.

    Accuracies are means over the seeds. The interval is that of a new training on new images, or from one seed that of
    the images alone, see `dlcv.evaluation.metrics.trainings`. `confusion` counts the images of all seeds.

    Args:
        seed: of the folds of the proxy A-distance, which is that of the first network.
    """
    each = [accuracy(one.target.digits == target.labels) for one in networks]
    confusion = sum(confusion_matrix(target.labels, one.target.digits, CLASSES) for one in networks)
    assert isinstance(confusion, np.ndarray)
    count = balanced_count(source, target, DISTANCE_IMAGES)
    first = networks[0]
    summary = summarise(
        [{"accuracy": {key: one[key] for key in ("accuracy", "interval")}} for one in each], same_images=True
    )
    scores: dict[str, Any] = {
        "accuracy": summary["accuracy"]["value"],
        "interval": summary["accuracy"]["interval"],
        "seeds": {str(one.about["seed"]): value["accuracy"] for one, value in zip(networks, each, strict=True)},
        "source_accuracy": mean(float((one.source.digits == source.labels).mean()) for one in networks),
        "proxy_a_distance": proxy_a_distance(
            first.source.features[balanced(source.labels, count, seed)],
            first.target.features[balanced(target.labels, count, seed)],
            seed,
        ),
    }
    if "standard_deviation" in summary["accuracy"]:
        scores["standard_deviation"] = summary["accuracy"]["standard_deviation"]
    domains = [value for one in networks if (value := domain_accuracy(one)) is not None]
    if domains:
        scores["domain_accuracy"] = mean(domains)
    return {**scores, "per_class": per_class(confusion), "confusion": confusion.tolist()}


def by_seed(networks: Sequence[Evaluated], target: Domain) -> dict[int, dict[str, Any]]:
    """The accuracies of one row on the target by seed, with the outcome of each image."""
    correct = {one.about["seed"]: one.target.digits == target.labels for one in networks}
    return {seed: {"accuracy": {**accuracy(own), "outcomes": pack(own)}} for seed, own in correct.items()}


def domain_accuracy(network: Evaluated) -> float | None:
    """The mean of the domain head's accuracies on both domains, so that chance is 1/2 for any number of images."""
    on_source, on_target = network.source.is_target, network.target.is_target
    if on_source is None or on_target is None:
        return None
    return float(((~on_source).mean() + on_target.mean()) / 2)


def gain(networks: Sequence[Evaluated], baselines: Sequence[Evaluated], target: Domain, seed: int) -> dict[str, Any]:
    """The difference of the accuracies on the target between networks and their source-only baselines, seed by seed.

    Args:
        seed: of the bootstrap.

    Returns:
        The mean over the seeds, its interval, and the difference of each seed. Both networks of a pair predict the same
        images. From one seed the interval is that over the images alone, by the bootstrap; from several it joins
        trainings and images, see `dlcv.evaluation.metrics.trainings.mean_difference`.
    """
    correct = [
        (one.target.digits == target.labels, other.target.digits == target.labels)
        for one, other in zip(networks, baselines, strict=True)
    ]
    differences = [float(own.mean() - base.mean()) for own, base in correct]
    if len(correct) == 1:
        _, low, high = paired_bootstrap(*correct[0], seed)
    else:
        of_images = np.mean([own.astype(float) - base for own, base in correct], axis=0)
        variance = float(of_images.var(ddof=1)) / len(of_images)
        _, low, high = mean_difference(differences, variance, same_images=True)
    return {
        "over_trained_on_source": mean(differences),
        "interval": {"low": low, "high": high},
        "seeds": {str(one.about["seed"]): value for one, value in zip(networks, differences, strict=True)},
    }


def label_of(about: dict[str, Any]) -> str:
    """What tables and figures call a training whose JSON is `about`."""
    return METHODS[about["method"]].label + str(about["label_suffix"])


def mean(values: Iterable[float]) -> float:
    """The mean of some numbers."""
    return float(np.mean(list(values)))


def protocol(source: Domain, target: Domain, params: Params) -> dict[str, Any]:
    """How the scores were computed; without time and commit, so that the same inputs give the same bytes."""
    section = params[Adaptation]
    images, perplexity = tsne_settings(source, target, params)
    return {
        "images": {
            role: {"domain": side.name, "split": "val", "count": len(side.images), "sha256": side.card["sha256"]}
            for role, side in {"source": source, "target": target}.items()
        },
        "seeds": section.seeds,
        "selection": "the last step",
        "validator": {
            "criterion": section.validator,
            "images": f"at most {IMAGES} of the target's training set, without labels",
            "candidates_for_correlation": CORRELATED,
        },
        "proxy_a_distance": {"images_of_each_domain": balanced_count(source, target, DISTANCE_IMAGES)},
        "interval": "95 %: from one seed that of the images alone, Wilson for accuracies and paired bootstrap for "
        "gains; from several seeds that of a new training on new images, for gains that of the mean over seeds",
        "versions": {package: version(package) for package in ("numpy", "scikit-learn", "scipy", "torch")},
        "statistics": "domain: the BatchNorm statistics are those of the domain that is evaluated",
        "tsne": {"images_of_each_domain": images, "perplexity": perplexity, "openTSNE": version("openTSNE")},
    }


def tsne_settings(source: Domain, target: Domain, params: Params) -> tuple[int, float]:
    """Images of each domain and perplexity of a t-SNE: those of params.yaml, or the largest that the images allow."""
    section = params[Adaptation].tsne
    count = balanced_count(source, target, section.images)
    # openTSNE uses 3 * perplexity neighbours and lowers the perplexity silently where there are fewer.
    return count, min(section.perplexity, (2 * count - 1) / 3)


def balanced_count(source: Domain, target: Domain, most: int) -> int:
    """The largest number of images, at most `most`, that both domains have."""
    return min(len(source.labels), len(target.labels), most)
