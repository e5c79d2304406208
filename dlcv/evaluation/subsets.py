"""Which images a score or a figure looks at."""

from __future__ import annotations

import numpy as np


def balanced(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Indices of `count` images, or all if there are fewer, with classes in numbers as equal as can be."""
    rng = np.random.default_rng(seed)
    # The rank of each image within its own class, in a random order: taking the lowest ranks
    # takes an image of each class in turn.
    order = rng.permutation(len(labels))
    rank = np.empty(len(labels), dtype=np.int64)
    for value in np.unique(labels):
        members = order[labels[order] == value]
        rank[members] = np.arange(len(members))
    return np.sort(order[np.argsort(rank[order], kind="stable")][:count])
