"""The judge of generated digits: a classifier with a network of its own, which sees real images alone in training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dlcv.data.batches import to_float
from dlcv.engine.weights import load_weights, read_about
from dlcv.evaluation.metrics.classification import accuracy, confusion_matrix
from dlcv.evaluation.metrics.intervals import wilson
from dlcv.runtime.errors import UserError

CLASSES = 10
BATCH = 250  # images; no part of the result in eval mode


class JudgeNetwork(nn.Sequential):
    """Images in [-1, 1], N x 3 x H x W, to logits of the ten digits, N x 10; any size from 4 pixels on.

    Six convolutions of 3 x 3 in three levels, averaged to 2 x 2 at the end. No generator shares a layer with it, and no
    method of adaptation.

    Args:
        channels: of the first level; every level has twice those of the one before.
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
        """The digit that each image shows, int64 N, of images, uint8 N x H x W x 3."""
        return classify(self.network, images)


@torch.inference_mode()
def classify(network: nn.Module, images: np.ndarray) -> np.ndarray:
    """Answers, int64 N, of a network in eval mode to images, uint8 N x H x W x 3."""
    device = next(network.parameters()).device
    answers = []
    for start in range(0, len(images), BATCH):
        logits: Tensor = network(to_float(images[start : start + BATCH]).to(device))
        answers.append(logits.argmax(1).cpu())
    return torch.cat(answers).numpy()


def load_judge(folder: Path) -> Judge:
    """The judge whose weights lie in `folder`, on the GPU where there is one.

    Raises:
        UserError: no weights there, or not those of a judge.
    """
    about = read_about(folder)
    if about.get("name") != "judge" or "channels" not in about:
        raise UserError(f"{folder} holds no judge of digits; `dvc repro stages/evaluation/dvc.yaml:judge` makes one")
    network = JudgeNetwork(about["channels"])
    load_weights(folder, network)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network.to(device).to(memory_format=torch.channels_last).eval()
    return Judge(network, about)


def accuracy_of(labels: np.ndarray, answers: np.ndarray) -> dict[str, Any]:
    """Accuracy over all images and for each digit, with 95 % Wilson intervals, and the confusion matrix.

    Args:
        labels, answers: int64 N; a digit without images has no entry of its own.
    """
    digits = {}
    for digit in range(CLASSES):
        mine = answers[labels == digit]
        if len(mine):
            right = int((mine == digit).sum())
            low, high = wilson(right, len(mine))
            digits[str(digit)] = {"accuracy": right / len(mine), "interval": {"low": low, "high": high}}
    matrix = confusion_matrix(labels, answers, CLASSES)
    return {**accuracy(answers == labels), "digits": digits, "confusion": matrix.tolist()}
