"""The figures of one scenario."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dlcv.adaptation.config import Augmentation, Methods
from dlcv.adaptation.networks.digits import CLASSES, instance_norm_of
from dlcv.adaptation.networks.gta import GTANetworks, changed
from dlcv.adaptation.scores import LABELS, Judged, tsne_settings
from dlcv.adaptation.tasks import OUT, Domain
from dlcv.adaptation.trained import load
from dlcv.data.batches import to_float, to_uint8
from dlcv.evaluation import tsne
from dlcv.evaluation.subsets import balanced
from dlcv.figures import charts, grids
from dlcv.runtime.config import Params

SHOWN = 12  # images of a row
DEVIATIONS = 2.5  # of a normalised image, from black to white


def draw(
    folder: Path,
    name: str,
    source: Domain,
    target: Domain,
    judged: Mapping[str, Sequence[Judged]],
    rows: Mapping[str, dict[str, Any]],
    params: Params,
) -> None:
    """Draw the figures of the scenario `name` into `folder`.

    `tsne-class.png`, `tsne-domain.png`, `confusion.png`, `inputs.png`, a `curve-METHOD.png` for each method that
    adapts and, with Generate To Adapt, `painted.png`.

    Args:
        judged: by row, a network of each seed; figures of features and curves show the first.
        rows: the scores, by row.
    """
    adapted = {row: trained[0] for row, trained in judged.items() if row in Methods.model_fields}
    labelled = {
        rows[row]["label"]: one for row, one in {"trained_on_source": judged["trained_on_source"][0], **adapted}.items()
    }
    draw_maps(folder, name, source, target, labelled, params)
    confusion = {
        rows[row]["label"]: np.array(rows[row]["confusion"])
        for row in ("trained_on_source", *adapted, "trained_on_target")
    }
    charts.confusion(folder / "confusion.png", confusion, f"{name}: validation images of the target")
    chosen = [side.images[balanced(side.labels, SHOWN, params.seed)] for side in (source, target)]
    labels = source.labels[balanced(source.labels, SHOWN, params.seed)]
    draw_inputs(folder / "inputs.png", name, chosen, {row: one.about for row, one in adapted.items()})
    for row, one in adapted.items():
        title = (
            f"{rows[row]['label']} {name}, seed {one.about['seed']}: training batches, means over the steps of a point"
        )
        curve = OUT / one.about["name"] / "curve.csv"
        charts.curves(folder / f"curve-{row}.png", curve, title, right=("accuracy", "share"))
    if "gta" in adapted:
        network, _ = load(OUT / adapted["gta"].about["name"])
        assert isinstance(network, GTANetworks)
        draw_painted(folder / "painted.png", name, network, chosen, labels)


def draw_maps(
    folder: Path, name: str, source: Domain, target: Domain, judged: Mapping[str, Judged], params: Params
) -> None:
    """Draw the t-SNE of some networks' features, by class and by domain.

    Args:
        judged: by the title of the panel.
    """
    count, perplexity = tsne_settings(source, target, params)
    chosen = [balanced(side.labels, count, params.seed) for side in (source, target)]
    maps = {}
    for title, one in judged.items():
        parts = (one.on_source.features, one.on_target.features)
        # Source and target are fitted together: maps fitted apart cannot be laid over each other.
        joint = np.concatenate([part[index] for part, index in zip(parts, chosen, strict=True)])
        maps[title] = tsne.fit(joint, perplexity, params.seed)
    digits = np.concatenate([source.labels[chosen[0]], target.labels[chosen[1]]])
    domains = np.repeat([0, 1], count)
    title = f"{name}: t-SNE of validation features, {count} images of each domain"
    played = [
        f"{role} {side.name}: {side.card['played_by']}" for role, side in (("source", source), ("target", target))
    ]
    charts.scatter(folder / "tsne-class.png", maps, digits, [str(digit) for digit in range(10)], title, "digit")
    charts.scatter(folder / "tsne-domain.png", maps, domains, played, title, "domain")


def draw_inputs(path: Path, name: str, chosen: Sequence[np.ndarray], trained: Mapping[str, dict[str, Any]]) -> None:
    """Draw images as the networks see them in training.

    Args:
        chosen: of source and target, uint8 N x 28 x 28 x 3.
        trained: the JSON beside the weights of each method, by its name.
    """
    strips = {}
    for role, images in zip(("source", "target"), chosen, strict=True):
        strips[role] = images
        for method, about in trained.items():
            for who, changes in changes_of(method, role, about["params"]).items():
                strips[f"{role}, {who}"] = seen(images, changes, about["architecture"])
    grids.labelled_rows(list(strips.values()), list(strips), f"{name}: what the networks see", scale=2).save(path)


def changes_of(method: str, role: str, settings: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """How `method` changes images of `role` at random, by who sees them so; `settings` are those of its training."""
    if method == "selftraining":
        own = settings["selftraining"]
        return (
            {"self-training": own["source"]}
            if role == "source"
            else {"self-training's teacher": own["weak"], "its student": own["strong"]}
        )
    return {LABELS[method]: settings["training"]["augmentation"]}


def seen(images: np.ndarray, augmentation: dict[str, Any], architecture: dict[str, Any]) -> np.ndarray:
    """Images, uint8 N x 28 x 28 x 3, after grey conversion, augmentation and normalisation, likewise.

    The random numbers are always the same.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        batch = changed(to_float(images), Augmentation.model_validate(augmentation), architecture.get("grey", False))
    if architecture["instance_norm"]:
        batch = instance_norm_of(True)(batch) / DEVIATIONS
    shown: np.ndarray = to_uint8(batch).numpy()
    return shown


@torch.inference_mode()
def draw_painted(path: Path, name: str, network: GTANetworks, chosen: Sequence[np.ndarray], labels: np.ndarray) -> None:
    """Draw what G paints from the features of source images, in their classes, and of target images, unknown."""
    rows = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        unknown = torch.full((len(chosen[1]),), CLASSES)
        for images, classes in zip(chosen, (torch.from_numpy(labels), unknown), strict=True):
            batch = to_float(images)
            rows += [to_uint8(network.prepare(batch)).numpy()]
            rows += [to_uint8(network.generator(network.embed(batch), classes)).numpy()]
    labels_of_rows = ["source", "painted from its features", "target", "painted from its features"]
    grids.labelled_rows(rows, labels_of_rows, f"{name}: what G paints", scale=2).save(path)
