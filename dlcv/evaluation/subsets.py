"""Subsets of images for a score or a figure."""

from __future__ import annotations

import numpy as np


def balanced(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Sorted indices of `count` random images, or of all if there are fewer, with classes as equal as possible.

    Args:
        labels: integers, N.
    """
    rng = np.random.default_rng(seed)
    # Each image gets a random rank within its class; taking the lowest ranks takes one image of each class in turn.
    order = rng.permutation(len(labels))
    rank = np.empty(len(labels), dtype=np.int64)
    for value in np.unique(labels):
        members = order[labels[order] == value]
        rank[members] = np.arange(len(members))
    return np.sort(order[np.argsort(rank[order], kind="stable")][:count])
