"""Scores that need no labels of the target, and the choice among trainings by one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy.special import entr, softmax

IMAGES = 2000  # maximum number of images of the target's training set


def information(target_logits: np.ndarray, source_correct: np.ndarray) -> float:
    """Mutual information of images and predictions, in nats, at most log 10 (Shi and Sha 2012).

    High if each prediction is confident and all digits are predicted.
    """
    return float(entr(_probabilities(target_logits).mean(axis=0)).sum()) + entropy(target_logits, source_correct)


def entropy(target_logits: np.ndarray, source_correct: np.ndarray) -> float:
    """The negative mean entropy of the predictions, in nats (Morerio et al. 2018). High if each is confident."""
    return -float(entr(_probabilities(target_logits)).sum(axis=1).mean())


def source_accuracy(target_logits: np.ndarray, source_correct: np.ndarray) -> float:
    """The accuracy on the source."""
    return float(source_correct.mean())


def _probabilities(logits: np.ndarray) -> np.ndarray:
    probabilities: np.ndarray = softmax(logits.astype(np.float64), axis=1)
    return probabilities


# Functions of a network's logits for target images, N x 10, and of whether its predictions for source images are
# correct, bool M. A higher value is better.
VALIDATORS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "information": information,
    "entropy": entropy,
    "source_accuracy": source_accuracy,
}


def validate(target_logits: np.ndarray, source_correct: np.ndarray) -> dict[str, float]:
    """The value of every validator for one network."""
    return {name: validator(target_logits, source_correct) for name, validator in VALIDATORS.items()}


def choice(
    candidates: Mapping[str, dict[str, float]], criterion: str, accuracies: Mapping[str, float]
) -> dict[str, Any]:
    """The training that a validator chooses, and the oracle: the one that the labels of the target would choose.

    Args:
        candidates: the result of `validate` for each training.
        criterion: the validator.
        accuracies: of each training on the target; only the oracle depends on them.

    Returns:
        `criterion`; `tried`, the number of trainings; `chosen` and `oracle`, each with training and accuracy;
        `candidates`, the values and the accuracy of each.
    """
    chosen = max(candidates, key=lambda name: candidates[name][criterion])
    oracle = max(candidates, key=lambda name: accuracies[name])
    return {
        "criterion": criterion,
        "tried": len(candidates),
        "chosen": {"training": chosen, "accuracy": accuracies[chosen]},
        "oracle": {"training": oracle, "accuracy": accuracies[oracle]},
        "candidates": {name: {**values, "accuracy": accuracies[name]} for name, values in candidates.items()},
    }
