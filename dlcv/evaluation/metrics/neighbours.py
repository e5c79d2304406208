"""Nearest neighbours among features, exactly, and what they say about memorising."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

BLOCK = 500  # rows of a block of distances: 25 MB against 6,000 images


def blocks(rows: np.ndarray, columns: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Squared Euclidean distances of N x D and M x D features: (slice of the rows, float64 block x M)."""
    rows, columns = rows.astype(np.float64), columns.astype(np.float64)
    squares = (columns**2).sum(axis=1)
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK]
        distances = (block**2).sum(axis=1)[:, None] + squares - 2 * block @ columns.T
        yield slice(start, start + len(block)), np.maximum(distances, 0, out=distances)


def nearest(samples: np.ndarray, training: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest training image of each sample.

    Args:
        samples, training: features, N x D and M x D.

    Returns:
        Its index, int64 N, and the Euclidean distance to it, float64 N.
    """
    index = np.empty(len(samples), dtype=np.int64)
    distance = np.empty(len(samples))
    for part, distances in blocks(samples, training):
        index[part] = distances.argmin(axis=1)
        distance[part] = np.sqrt(distances.min(axis=1))
    return index, distance


def memorised(samples: np.ndarray, validation: np.ndarray, training: np.ndarray) -> float:
    """The share of samples that lie nearer to training than validation images do.

    Exactly: the probability that a random sample has a shorter distance to its nearest training image than a random
    validation image has to its own, a tie counting half (the area under the ROC curve of that distance). No threshold
    has to be chosen, and the counts of samples and validation images play no part.

    About 0.5: as new as new real images. Towards 1: copies of training images. Towards 0: far from all of them,
    as noise is. Where validation shows other persons than training, new images of the training persons
    already are above 0.5.

    Args:
        samples, validation, training: features, N x D, V x D and M x D.
    """
    ours, theirs = nearest(samples, training)[1], nearest(validation, training)[1]
    # Mann and Whitney's U: how many validation images lie below each sample, a tie counting half.
    theirs.sort()
    below = (np.searchsorted(theirs, ours, "left") + np.searchsorted(theirs, ours, "right")) / 2
    return float(1 - below.mean() / len(theirs))
