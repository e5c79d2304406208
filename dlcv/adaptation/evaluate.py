"""The stage `evaluate`: one scenario, every training that has a part in it, on validation pictures.

The target's validation labels are read here, after training; no step is chosen by them.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dlcv import tracking
from dlcv.adaptation.figures import draw
from dlcv.adaptation.networks import NETWORKS, DomainNetwork
from dlcv.adaptation.sections import Adaptation
from dlcv.adaptation.tasks import METRICS, OUT, Domain, balanced_count, domain, scenario_of
from dlcv.data.batches import to_float
from dlcv.evaluation.classification import accuracy, confusion_matrix, per_class
from dlcv.evaluation.domains import proxy_a_distance
from dlcv.evaluation.intervals import paired_bootstrap
from dlcv.evaluation.sampling import balanced
from dlcv.files import replacing, write_json
from dlcv.nested import flatten
from dlcv.params import Params
from dlcv.weights import load_weights, read_about

CLASSES = 10
BATCH = 500  # pictures; no part of the result in eval mode
DISTANCE_PICTURES = 2000  # of each domain, at most: a linear classifier learns no more from 9,000


@dataclass(frozen=True)
class Answers:
    """What a network says of N pictures."""

    digits: np.ndarray  # its class head's, N
    target: np.ndarray  # whether its domain head takes them for the target's, bool, N
    features: np.ndarray  # output of the convolutions, float32, N x D


def run(name: str, params: Params) -> Path:
    """Score the trainings of the scenario `name`.

    Returns:
        The JSON of its scores; figures lie in `out/adaptation/NAME/`.

    Raises:
        UserError: no such scenario, no prepared data, or no weights.
    """
    scenario = scenario_of(name, params)
    source, target = domain(scenario.source, "val"), domain(scenario.target, "val")
    trainings = {
        "trained_on_source": f"supervised-{scenario.source}",
        "dann": f"dann-{name}",
        "trained_on_target": f"supervised-{scenario.target}",
    }
    rows: dict[str, dict[str, Any]] = {}
    right: dict[str, np.ndarray] = {}
    features: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for row, training in trainings.items():
        network, about = load_network(OUT / training)
        on_source, on_target = answer(network, source.images), answer(network, target.images)
        right[row] = on_target.digits == target.labels
        features[row] = on_source.features, on_target.features
        averaged = about["params"]["training"]["ema_decay"] > 0
        rows[row] = {
            "label": label(row, about),
            **score(on_source, on_target, source, target, params.seed),
            "training": {"name": training, "fingerprint": about["fingerprint"], "sha256": about["sha256"]},
            "weights": "average at the last step" if averaged else "last step",
        }
        if row == "dann":
            # Mean of the two domains' shares of right answers: 1/2 is chance whatever the counts.
            share = (~on_source.target).mean() + on_target.target.mean()
            rows[row]["domain_accuracy"] = float(share / 2)
    for row in ("dann", "trained_on_target"):
        # Paired: both networks answered the same pictures.
        gain, low, high = paired_bootstrap(right[row], right["trained_on_source"], params.seed)
        rows[row]["gain"] = {"over_trained_on_source": gain, "interval": {"low": low, "high": high}}

    with replacing(OUT / name) as folder:
        labels = {row: scores["label"] for row, scores in rows.items()}
        confusion = {labels[row]: np.array(scores["confusion"]) for row, scores in rows.items()}
        shown = {labels[row]: features[row] for row in ("trained_on_source", "dann")}
        draw(folder, name, source, target, shown, confusion, OUT / trainings["dann"] / "curve.csv", params)
    scores = {"scenario": name, "protocol": protocol(source, target, params), "rows": rows}
    write_json(METRICS / f"{name}.json", scores)
    track(name, rows, params)
    return METRICS / f"{name}.json"


def label(row: str, about: dict[str, Any]) -> str:
    """What a table calls the row: the method by its whole name, so that a figure stands under what it deserves."""
    if row == "dann":
        return "DANN + information maximisation" if about["params"]["dann"]["information"] else "DANN"
    return row.replace("_", " ")


def load_network(folder: Path) -> tuple[DomainNetwork, dict[str, Any]]:
    """The trained network in `folder`, in eval mode, and the JSON beside its weights."""
    about = read_about(folder)
    training = about["params"]["training"]
    network = NETWORKS[about["network"]](training["dropout"], training["instance_norm"])
    load_weights(folder, network)
    return network.eval(), about


@torch.inference_mode()
def answer(network: DomainNetwork, images: np.ndarray) -> Answers:
    """Ask `network`, in eval mode, about pictures, uint8 N x 28 x 28 x 3."""
    digits, target, features = [], [], []
    for start in range(0, len(images), BATCH):
        batch = torch.from_numpy(np.array(images[start : start + BATCH])).permute(0, 3, 1, 2)
        embedded = network.embed(to_float(batch))
        digits.append(network.class_head(embedded).argmax(1))
        target.append(network.domain_head(embedded).argmax(1) == 1)
        features.append(embedded)
    return Answers(*(torch.cat(parts).numpy() for parts in (digits, target, features)))


def score(on_source: Answers, on_target: Answers, source: Domain, target: Domain, seed: int) -> dict[str, Any]:
    """The scores of one network in one scenario, from validation pictures alone."""
    confusion = confusion_matrix(target.labels, on_target.digits, CLASSES)
    count = balanced_count(source, target, DISTANCE_PICTURES)
    return {
        **accuracy(on_target.digits == target.labels),
        "source_accuracy": float((on_source.digits == source.labels).mean()),
        "proxy_a_distance": proxy_a_distance(
            on_source.features[balanced(source.labels, count, seed)],
            on_target.features[balanced(target.labels, count, seed)],
            seed,
        ),
        "per_class": per_class(confusion),
        "confusion": confusion.tolist(),
    }


def protocol(source: Domain, target: Domain, params: Params) -> dict[str, Any]:
    """How the scores came about; no time and no commit: same inputs, same bytes."""
    packages = ("numpy", "openTSNE", "scikit-learn", "torch")
    return {
        "pictures": {
            role: {"domain": side.name, "split": "val", "count": len(side.images), "sha256": side.card["sha256"]}
            for role, side in {"source": source, "target": target}.items()
        },
        "selection": "the last step",
        "proxy_a_distance": {"pictures_of_each_domain": balanced_count(source, target, DISTANCE_PICTURES)},
        "interval": "95 %: Wilson for shares, paired bootstrap for gains",
        "tsne": {
            "pictures_of_each_domain": balanced_count(source, target, params[Adaptation].tsne.pictures),
            "perplexity": params[Adaptation].tsne.perplexity,
        },
        "versions": {package: version(package) for package in packages},
    }


def track(name: str, rows: dict[str, dict[str, Any]], params: Params) -> None:
    """Show the scores in MLflow: in a run of the evaluation, and in the runs that made the weights."""
    figures = sorted((OUT / name).glob("*.png"))
    values = {
        row: {key: value for key, value in flatten(scores).items() if isinstance(value, float)}
        for row, scores in rows.items()
    }
    with tracking.run(f"evaluate-{name}", area="adaptation", params=params[Adaptation].tsne.model_dump()) as tracked:
        tracked.scores({f"{row}.{key}": value for row, scores in values.items() for key, value in scores.items()})
        for figure in figures:
            tracked.figure(figure)
    for row, scores in values.items():
        digest = rows[row]["training"]["sha256"]
        shown = figures if row == "dann" else []
        tracking.add_scores(digest, {f"{name}.{key}": value for key, value in scores.items()}, shown)
