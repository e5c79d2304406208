"""Linear probes of features that were learnt without labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from dlcv.evaluation.metrics.classification import accuracy

FOLDS = 5


def linear_probe(features: np.ndarray, labels: np.ndarray, seed: int) -> dict[str, Any] | None:
    """Cross-validated accuracy of a linear classifier on the images that it was not fitted to.

    Args:
        features: N x D, with the scale of a standard normal prior. They are not standardised, because that would scale
            up dimensions that carry no information.
        labels: integers, N; classes of fewer than `FOLDS` images are left out.
        seed: of the folds.

    Returns:
        "accuracy" and its Wilson "interval"; "chance", the share of the most frequent class; "classes", "images",
        "folds". None where fewer than two classes are left.
    """
    classes, counts = np.unique(labels, return_counts=True)
    kept = np.isin(labels, classes[counts >= FOLDS])
    features, labels = features[kept], labels[kept]
    if (counts >= FOLDS).sum() < 2:
        return None
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    predictions = cross_val_predict(_classifier(), features, labels, cv=folds)
    return {
        **accuracy(predictions == labels),
        "chance": float(counts.max() / len(labels)),
        "classes": int((counts >= FOLDS).sum()),
        "images": len(labels),
        "folds": FOLDS,
    }


def linear_probe_on(
    features: np.ndarray, labels: np.ndarray, other_features: np.ndarray, other_labels: np.ndarray
) -> dict[str, Any] | None:
    """Accuracy on other images of a linear classifier that is fitted to all of the first ones.

    Returns:
        As `linear_probe`, without folds. None where the others have a class that the first ones lack, or where the
        first ones have a single class.
    """
    classes, counts = np.unique(other_labels, return_counts=True)
    known = np.unique(labels)
    if len(known) < 2 or not np.isin(classes, known).all():
        return None
    predictions = _classifier().fit(features, labels).predict(other_features)
    return {
        **accuracy(predictions == other_labels),
        "chance": float(counts.max() / len(other_labels)),
        "classes": len(known),
        "images": len(other_labels),
    }


def _classifier() -> LogisticRegression:
    # Regularised, because a latent may have as many dimensions as there are images.
    return LogisticRegression(C=0.1, max_iter=2000)
