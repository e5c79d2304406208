"""Exact nearest neighbours among features, and the share of memorised images."""

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
        Indices of training images, int64 N, and Euclidean distances to them, float64 N.
    """
    index = np.empty(len(samples), dtype=np.int64)
    distance = np.empty(len(samples))
    for part, distances in blocks(samples, training):
        index[part] = distances.argmin(axis=1)
        distance[part] = np.sqrt(distances.min(axis=1))
    return index, distance


def memorised(samples: np.ndarray, validation: np.ndarray, training: np.ndarray) -> float:
    """How often samples are nearer to the training images than validation images are.

    This is the probability that a random sample has a shorter distance to its nearest training image than a random
    validation image has to its own; a tie counts half. It is the area under the ROC curve of that distance, so it needs
    no threshold and does not depend on the numbers of images.

    About 0.5 for new real images, 1 for copies of training images, 0 for samples far from all of them, such as noise.
    Where the validation images show other persons than the training images, new images of the training persons score
    above 0.5.

    Args:
        samples, validation, training: features, N x D, V x D and M x D.
    """
    ours, theirs = nearest(samples, training)[1], nearest(validation, training)[1]
    # Mann and Whitney's U: the number of validation images below each sample; a tie counts half.
    theirs.sort()
    below = (np.searchsorted(theirs, ours, "left") + np.searchsorted(theirs, ours, "right")) / 2
    return float(1 - below.mean() / len(theirs))
