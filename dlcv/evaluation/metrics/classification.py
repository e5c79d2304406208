"""Scores of a classifier from its predictions."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlcv.evaluation.metrics.intervals import wilson

DIGITS = 10


def accuracy(correct: np.ndarray) -> dict[str, Any]:
    """Fraction of correct predictions with its 95 % Wilson interval.

    Args:
        correct: bool, N.
    """
    low, high = wilson(int(correct.sum()), len(correct))
    return {"accuracy": float(correct.mean()), "interval": {"low": low, "high": high}}


def pack(correct: np.ndarray) -> str:
    """Whether each image is right, bool N, as hexadecimal digits of eight images to two, for a JSON file."""
    return np.packbits(correct).tobytes().hex()


def unpack(packed: str) -> np.ndarray:
    """The reverse of `pack`, bool; up to seven images that were not there are wrong."""
    return np.unpackbits(np.frombuffer(bytes.fromhex(packed), np.uint8)).astype(bool)


def confusion_matrix(labels: np.ndarray, predictions: np.ndarray, classes: int) -> np.ndarray:
    """Counts, int64 classes x classes: rows are the labels, columns the predictions."""
    matrix = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(matrix, (labels, predictions), 1)
    return matrix


def per_class(matrix: np.ndarray) -> list[float]:
    """Accuracy of each class from a confusion matrix; every class needs at least one image."""
    accuracies: list[float] = (np.diag(matrix) / matrix.sum(axis=1)).tolist()
    return accuracies


def accuracy_by_digit(labels: np.ndarray, predictions: np.ndarray) -> dict[str, Any]:
    """Accuracy over all images and for each digit, with 95 % Wilson intervals, and the confusion matrix.

    Args:
        labels, predictions: int64 N.

    Returns:
        "digit_accuracy"; "digits", the same by digit, without an entry for a digit without images; "confusion".
    """
    digits = {}
    for digit in range(DIGITS):
        if (own := labels == digit).any():
            digits[str(digit)] = accuracy(predictions[own] == digit)
    return {
        "digit_accuracy": accuracy(predictions == labels),
        "digits": digits,
        "confusion": confusion_matrix(labels, predictions, DIGITS).tolist(),
    }
