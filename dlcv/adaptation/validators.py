"""Which training to take where the target has no labels: scores that read none, and the choice by one of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import entr, softmax

from dlcv.adaptation.tasks import Domain
from dlcv.adaptation.trained import Answers

IMAGES = 2000  # of the target's training set, at most


def signs(on_source: Answers, source: Domain, on_target: np.ndarray) -> dict[str, float]:
    """What speaks for a network without a label of the target; of each, more is better.

    Args:
        on_source: its answers to labelled images of the source.
        on_target: its logits for images of the target, N x 10.

    Returns:
        "information": mutual information of images and answers, in nats, at most log 10: every answer is sure and
        every digit is answered (Shi and Sha 2012). "entropy": its mean entropy, negative: every answer is sure
        (Morerio et al. 2018). "source_accuracy": the share of right answers on the source.
    """
    shares = softmax(on_target.astype(np.float64), axis=1)
    sure = -float(entr(shares).sum(axis=1).mean())
    return {
        "information": float(entr(shares.mean(axis=0)).sum()) + sure,
        "entropy": sure,
        "source_accuracy": float((on_source.digits == source.labels).mean()),
    }


def choice(
    candidates: Mapping[str, dict[str, float]], criterion: str, accuracies: Mapping[str, float]
) -> dict[str, Any]:
    """The candidate that the criterion chooses, and the one that the target's labels would have chosen.

    Args:
        candidates: `signs` of each training.
        criterion: which of them chooses.
        accuracies: on the target, of each; it says what was chosen, and chooses the oracle's alone.

    Returns:
        "criterion", "candidates" (signs and accuracy of each), "tried", their number, "chosen" and "oracle".
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
