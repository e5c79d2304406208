"""Scores of a classifier from its answers."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlcv.evaluation.metrics.intervals import wilson


def accuracy(right: np.ndarray) -> dict[str, Any]:
    """Share of right answers with its 95 % Wilson interval.

    Args:
        right: bool, N.
    """
    low, high = wilson(int(right.sum()), len(right))
    return {"accuracy": float(right.mean()), "interval": {"low": low, "high": high}}


def confusion_matrix(labels: np.ndarray, answers: np.ndarray, classes: int) -> np.ndarray:
    """Counts, classes x classes: rows are the labels, columns the answers."""
    matrix = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(matrix, (labels, answers), 1)
    return matrix


def per_class(matrix: np.ndarray) -> list[float]:
    """Share of right answers among the images of each class, of which each has at least one."""
    shares: list[float] = (np.diag(matrix) / matrix.sum(axis=1)).tolist()
    return shares
