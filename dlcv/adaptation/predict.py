"""Predictions of trained networks, and `dlcv adaptation predict`: the digits in a folder of images."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dlcv.adaptation.config import ADAPTING, OUT, SIZE, evaluation_folder
from dlcv.adaptation.networks.digits import Classifier, DomainNetwork
from dlcv.data.batches import to_float
from dlcv.data.images import decode, list_images
from dlcv.engine.weights import load_network
from dlcv.runtime import summaries
from dlcv.runtime.errors import UserError
from dlcv.runtime.files import read_json, replacing
from dlcv.runtime.progress import bar

BATCH = 500  # images in a forward pass; in eval mode it changes no result
IN_MEMORY = 1000  # images of a folder


@dataclass(frozen=True)
class Predictions:
    """What a network computes for N images."""

    logits: np.ndarray  # of the class head, float32 N x 10
    is_target: np.ndarray | None  # the prediction of the domain head, bool N; None without one
    features: np.ndarray  # float32 N x D

    @property
    def digits(self) -> np.ndarray:
        """The most probable digits, int64 N."""
        digits: np.ndarray = self.logits.argmax(1)
        return digits


def load(folder: Path) -> tuple[Classifier, dict[str, Any]]:
    """The trained network in `folder`, in eval mode, and the JSON beside its weights.

    Raises:
        UserError: no weights, weights that do not fit their JSON, or weights of another area.
    """
    return load_network(
        folder, _build, expected={"area": "adaptation"}, what="weights of domain adaptation", channels_last=False
    )


def _build(about: dict[str, Any]) -> Classifier:
    arguments = dict(about["architecture"])
    try:
        file = import_module(f"dlcv.adaptation.networks.{arguments.pop('file')}")
    except ModuleNotFoundError as error:
        raise ValueError(str(error)) from error
    network: Classifier = file.build(**arguments)
    return network


@torch.inference_mode()
def predict(network: Classifier, images: np.ndarray, domains: bool = False) -> Predictions:
    """The predictions of `network`, in eval mode, for images, uint8 N x 28 x 28 x 3.

    Args:
        domains: whether the domain head predicts, too.
    """
    device = next(network.parameters()).device
    logits, is_target, features = [], [], []
    for start in range(0, len(images), BATCH):
        embedded = network.embed(to_float(images[start : start + BATCH]).to(device))
        logits.append(network.class_head(embedded).cpu())
        features.append(embedded.cpu())
        if domains:
            assert isinstance(network, DomainNetwork)
            is_target.append((network.domain_head(embedded).argmax(1) == 1).cpu())
    return Predictions(
        torch.cat(logits).numpy(), torch.cat(is_target).numpy() if domains else None, torch.cat(features).numpy()
    )


def run(folder: Path, scenario: str, weights: Path, out: Path) -> Path:
    """Write the table `out` with `image_name,label` of every image in `folder`, in the order of names.

    Args:
        folder: images of any format and size; sub-folders are not searched.
        scenario: of the weights.
        weights: folder of a training.

    Raises:
        UserError: no weights of the scenario; no folder, no images in it, or one that cannot be read; or `out` is one
            of them. `out` is then as it was.
    """
    files = list_images(folder)
    if out.is_dir():
        raise UserError(f"{out} is a folder; name a file for the table, such as {out / 'predictions.csv'}")
    if out.exists() and any(out.samefile(file) for file in files):
        raise UserError(f"{out} is one of the images; name another file for the table")
    network, about = load(weights)
    if about["task"] != scenario:
        raise UserError(f"{weights} has weights of {about['task']}, not of {scenario}; name others with --weights")
    with (
        replacing(out) as temporary,
        open(temporary, "w", newline="", encoding="utf-8") as table,
        bar("predictions", len(files)) as done,
    ):
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(["image_name", "label"])
        for start in range(0, len(files), IN_MEMORY):
            part = files[start : start + IN_MEMORY]
            images = np.stack([decode(_read(file), str(file), SIZE, crop=False) for file in part])
            digits = predict(network, images).digits
            writer.writerows((file.name, int(digit)) for file, digit in zip(part, digits, strict=True))
            done.update(len(part))
    return out


def chosen_weights(scenario: str) -> Path:
    """The folder of the adapted training of `scenario` that the validator chooses, without labels of the target.

    Raises:
        UserError: the scenario has not been evaluated.
    """
    path = evaluation_folder(scenario) / summaries.FILE
    if not path.is_file():
        raise UserError(f"{path}, which has the choice of a training, is missing; run `dvc repro` or give --method")
    choice = read_json(path)["choice"]
    candidates: dict[str, dict[str, float]] = choice["candidates"]
    folders = tuple(f"{scenario}/{method}-" for method in ADAPTING)
    adapted = [name for name in candidates if name.startswith(folders)]
    return OUT / max(adapted, key=lambda name: candidates[name][choice["criterion"]])


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {file} ({error.strerror}); mend its permissions or take it out") from None
