"""Trained networks of domain adaptation, and what they answer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dlcv.adaptation.networks import digits as networks
from dlcv.adaptation.networks.digits import DomainNetwork
from dlcv.adaptation.networks.gta import FeaturesAndClasses, GTANetworks
from dlcv.data.batches import to_float
from dlcv.engine.weights import load_weights, read_about
from dlcv.runtime.errors import UserError

# Networks that are none of `dlcv.adaptation.networks.digits`.
GTA: dict[str, type[FeaturesAndClasses]] = {"gta": GTANetworks, "gta-source": FeaturesAndClasses}
BATCH = 500  # images; no part of the result in eval mode


@dataclass(frozen=True)
class Answers:
    """What a network says of N images."""

    logits: np.ndarray  # its class head's, float32, N x 10
    target: np.ndarray | None  # whether its domain head takes them for the target's, bool, N; None: it has none
    features: np.ndarray  # output of the convolutions, float32, N x D

    @property
    def digits(self) -> np.ndarray:
        """The most likely digit of each image, N."""
        digits: np.ndarray = self.logits.argmax(1)
        return digits


def load(folder: Path) -> tuple[DomainNetwork | FeaturesAndClasses, dict[str, Any]]:
    """The trained network in `folder`, in eval mode, and the JSON beside its weights.

    Raises:
        UserError: no weights there, weights that are not what their JSON says, or those of another area.
    """
    about = read_about(folder)
    if about.get("area") != "adaptation" or "architecture" not in about:
        raise UserError(f"{folder} holds no weights of domain adaptation; `dvc repro` makes them in out/adaptation")
    architecture = dict(about["architecture"])
    network: DomainNetwork | FeaturesAndClasses
    try:
        if (brought := GTA.get(architecture["network"])) is not None:
            del architecture["network"]
            network = brought(**architecture)
        else:
            network = networks.build(**architecture)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{folder}/weights.json describes no network of this version; train it again") from error
    load_weights(folder, network)
    return network.eval(), about


@torch.inference_mode()
def answer(network: DomainNetwork | FeaturesAndClasses, images: np.ndarray, domains: bool = False) -> Answers:
    """Ask `network`, in eval mode, about images, uint8 N x 28 x 28 x 3.

    Args:
        domains: whether its domain head was taught and is asked as well.
    """
    logits, target, features = [], [], []
    for start in range(0, len(images), BATCH):
        embedded = network.embed(to_float(images[start : start + BATCH]))
        logits.append(network.class_head(embedded))
        features.append(embedded)
        if domains:
            assert isinstance(network, DomainNetwork)
            target.append(network.domain_head(embedded).argmax(1) == 1)
    return Answers(
        torch.cat(logits).numpy(), torch.cat(target).numpy() if domains else None, torch.cat(features).numpy()
    )
