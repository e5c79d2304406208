"""The judge of generated digits: a classifier of its own, trained on real images only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dlcv.data.batches import to_float
from dlcv.engine.weights import load_network
from dlcv.runtime.progress import over

CLASSES = 10
BATCH = 250  # images; in eval mode predictions do not depend on it


class JudgeNetwork(nn.Sequential):
    """Images in [-1, 1], N x 3 x H x W with H and W of at least 4, to logits of the ten digits, N x 10.

    Six 3 x 3 convolutions in three levels, then average pooling to 2 x 2 and one linear layer. It shares no layer with
    a generator or with a method of adaptation.

    Args:
        channels: of the first level; each further level doubles them.
    """

    def __init__(self, channels: int):
        layers: list[nn.Module] = []
        inputs = 3
        for level in range(3):
            outputs = channels * 2**level
            for size in (inputs, outputs):
                layers += [nn.Conv2d(size, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
            layers.append(nn.MaxPool2d(2) if level < 2 else nn.AdaptiveAvgPool2d(2))
            inputs = outputs
        super().__init__(*layers, nn.Flatten(), nn.Linear(4 * inputs, CLASSES))


@dataclass(frozen=True)
class Judge:
    """A trained judge in eval mode.

    Attributes:
        about: the JSON beside its weights.
    """

    network: JudgeNetwork
    about: dict[str, Any]

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """The predicted digits, int64 N, of images, uint8 N x H x W x 3."""
        return classify(self.network, images)


@torch.inference_mode()
def classify(network: nn.Module, images: np.ndarray) -> np.ndarray:
    """Predicted classes, int64 N, of images, uint8 N x H x W x 3, by a network in eval mode."""
    device = next(network.parameters()).device
    predictions = []
    for start in over(range(0, len(images), BATCH), "predictions", "batch"):
        logits: Tensor = network(to_float(images[start : start + BATCH]).to(device))
        predictions.append(logits.argmax(1).cpu())
    return torch.cat(predictions).numpy()


def load_judge(folder: Path) -> Judge:
    """The judge whose weights are in `folder`, on the GPU where there is one.

    Raises:
        UserError: no weights there, or those of another network.
    """
    return Judge(
        *load_network(
            folder,
            lambda about: JudgeNetwork(about["channels"]),
            expected={"area": "evaluation"},  # whose only training is the judge
            what="the digit judge",
        )
    )
