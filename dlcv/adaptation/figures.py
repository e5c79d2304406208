"""The figures of one scenario, and their captions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from dlcv.adaptation.config import METHODS, OUT, Augmentation
from dlcv.adaptation.networks.digits import Classifier
from dlcv.adaptation.predict import load
from dlcv.adaptation.scores import Evaluated, label_of, tsne_settings
from dlcv.adaptation.trainings import Domain
from dlcv.data.batches import to_float, to_uint8
from dlcv.evaluation import tsne
from dlcv.evaluation.subsets import balanced
from dlcv.figures import charts, grids, live
from dlcv.figures.listing import made_by, write_listing
from dlcv.figures.prints import write_prints
from dlcv.runtime.config import Params
from dlcv.runtime.progress import over

SHOWN = 12  # images of a row
DEVIATIONS = 2.5  # standard deviations of a normalised image between mid-grey and black or white

CAPTIONS = {
    "tsne-class.png": "t-SNE of the features, coloured by digit; source and target are fitted together.",
    "tsne-domain.png": "The same t-SNE maps, coloured by domain.",
    "confusion.png": "Confusion matrices on the target's validation images, over all seeds: rows are labels, in per "
    "cent.",
    "inputs.png": "Validation images, and the same images as the networks see them in training: augmented "
    "(after conversion to grey where the settings of a method say so) and normalised.",
}


def draw(
    folder: Path,
    name: str,
    source: Domain,
    target: Domain,
    networks: Mapping[str, Sequence[Evaluated]],
    rows: Mapping[str, dict[str, Any]],
    params: Params,
) -> None:
    """Draw the figures of the scenario `name` into `folder`, and write their captions into `figures.json`.

    `tsne-class.png`, `tsne-domain.png`, `confusion.png` and `inputs.png`; for each method that adapts
    `curve-METHOD.png` and, if its network makes images, `examples-METHOD.png`.

    Args:
        networks: by row, a network of each seed; figures of features and curves show the first.
        rows: the scores, by row.
    """
    captions = dict(CAPTIONS)
    first = {row: each[0] for row, each in networks.items()}
    adapted = [row for row in first if rows[row]["adapts"]]
    baseline, *_, best = first
    draw_maps(folder, name, source, target, {rows[row]["label"]: first[row] for row in (baseline, *adapted)}, params)
    confusion = {rows[row]["label"]: np.array(rows[row]["confusion"]) for row in (baseline, *adapted, best)}
    charts.confusion(folder / "confusion.png", confusion, f"{name}: validation images of the target")

    images = [side.images[balanced(side.labels, SHOWN, params.seed)] for side in (source, target)]
    labels = source.labels[balanced(source.labels, SHOWN, params.seed)]
    loaded = {row: load(OUT / first[row].about["name"]) for row in adapted}
    draw_inputs(folder / "inputs.png", name, images, list(loaded.values()))
    for row, (network, about) in loaded.items():
        label, curve, examples = rows[row]["label"], f"curve-{row}.png", f"examples-{row}.png"
        title = f"{label} {name}, seed {about['seed']}: training batches, means over the steps of a point"
        charts.curves(folder / curve, OUT / about["name"] / "curve.csv", title, right=("accuracy", "share"))
        captions[curve] = METHODS[row].caption
        if METHODS[row].examples:
            draw_examples(folder / examples, f"{name}: examples of {label}", network, images, labels)
            captions[examples] = METHODS[row].examples
    write_prints(
        folder,
        {
            label_of(about): {"network": network}
            for network, about in (load(OUT / one.about["name"]) for one in first.values())
        },
    )
    trainings = [training for values in rows.values() for training in values["trainings"]]
    fingerprints = {training["name"]: training["fingerprint"] for training in trainings}
    write_listing(folder, captions, made_by(f"evaluate@{name}", fingerprints))


def draw_maps(
    folder: Path, name: str, source: Domain, target: Domain, networks: Mapping[str, Evaluated], params: Params
) -> None:
    """Draw the t-SNE of some networks' features, by class and by domain.

    Args:
        networks: by the title of the panel.
    """
    count, perplexity = tsne_settings(source, target, params)
    chosen = [balanced(side.labels, count, params.seed) for side in (source, target)]
    maps, predictions = {}, {}
    for title, one in over(networks.items(), f"{name}: t-SNE", "map"):
        # Fitted together: two separate maps could not be compared.
        features = [side.features[index] for side, index in zip((one.source, one.target), chosen, strict=True)]
        maps[title] = tsne.fit(np.concatenate(features), perplexity, params.seed)
        predicted = [side.digits[index] for side, index in zip((one.source, one.target), chosen, strict=True)]
        predictions[title] = np.concatenate(predicted)
    digits = np.concatenate([source.labels[chosen[0]], target.labels[chosen[1]]])
    domains = np.repeat([0, 1], count)
    title = f"{name}: t-SNE of validation features, {count} images of each domain"
    played = [
        f"{role} {side.name}: {side.card['played_by']}" for role, side in (("source", source), ("target", target))
    ]
    charts.scatter(folder / "tsne-class.png", maps, digits, [str(digit) for digit in range(10)], title, "digit")
    charts.scatter(folder / "tsne-domain.png", maps, domains, played, title, "domain")
    images = np.concatenate([source.images[chosen[0]], target.images[chosen[1]]])
    groups = {
        "digit": (digits, [str(digit) for digit in range(10)]),
        "domain": (domains, [f"source {source.name}", f"target {target.name}"]),
    }
    live.points(folder / "tsne-class.png", maps, images, groups, predictions)
    live.within(folder / "tsne-domain.png", "tsne-class.png")


def draw_inputs(
    path: Path, name: str, images: Sequence[np.ndarray], trained: Sequence[tuple[Classifier, dict[str, Any]]]
) -> None:
    """Draw images as networks see them in training.

    Args:
        images: of source and target, uint8 N x 28 x 28 x 3.
        trained: networks, and the JSON beside their weights.
    """
    strips = {}
    for role, shown in zip(("source", "target"), images, strict=True):
        strips[role] = shown
        for network, about in trained:
            for viewer, augmentation in about["augmentation"][role].items():
                strips[f"{role}, {label_of(about)}{viewer and f': {viewer}'}"] = seen(
                    shown, network, Augmentation.model_validate(augmentation)
                )
    grids.labelled_rows(list(strips.values()), list(strips), f"{name}: what the networks see", scale=2).save(path)


def seen(images: np.ndarray, network: Classifier, augmentation: Augmentation) -> np.ndarray:
    """Images, uint8 N x 28 x 28 x 3, after augmentation and normalisation, always with the same random numbers."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        batch = network.augment(to_float(images), augmentation)
    if not isinstance(network.normalise, nn.Identity):
        batch = network.normalise(batch) / DEVIATIONS
    shown: np.ndarray = to_uint8(batch).numpy()
    return shown


@torch.inference_mode()
def draw_examples(
    path: Path, title: str, network: Classifier, images: Sequence[np.ndarray], labels: np.ndarray
) -> None:
    """Draw the images that a network makes from those of source and target, always with the same random numbers."""
    device = next(network.parameters()).device
    source, target = (to_float(each).to(device) for each in images)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        rows = network.examples(source, torch.from_numpy(labels).to(device), target)
    grids.labelled_rows([to_uint8(row).numpy() for row in rows.values()], list(rows), title, scale=2).save(path)
