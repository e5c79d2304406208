"""Fidelity and diversity from nearest neighbours.

Improved precision and recall (Kynkäänniemi et al., NeurIPS 2019); density and coverage (Naeem et al., ICML 2020), which
are more robust to outliers.
"""

from __future__ import annotations

import numpy as np

from dlcv.evaluation.metrics.neighbours import blocks


def manifold_scores(generated: np.ndarray, real: np.ndarray, neighbours: int) -> dict[str, float]:
    """Precision, recall, density and coverage.

    The ball of an image reaches to its k-th nearest neighbour in its own set. The scores depend on the numbers of
    images, so both sets have the same number.

    Args:
        generated, real: features, N x D each, with N above `neighbours`.
        neighbours: k.

    Returns:
        precision: share of generated images inside the ball of any real one, in [0, 1].
        recall: share of real images inside the ball of any generated one, in [0, 1].
        density: mean number of real balls that contain a generated image, divided by k; about 1 for real images, and
            not bounded by 1.
        coverage: share of real images whose ball contains a generated one, in [0, 1].
    """
    if len(generated) != len(real) or len(real) <= neighbours:
        raise ValueError(f"{len(generated)} and {len(real)} images for {neighbours} neighbours")
    real_radius, generated_radius = _radius(real, neighbours), _radius(generated, neighbours)
    inside = np.empty(len(generated), dtype=np.int64)  # number of real balls that contain each image
    recalled = np.zeros(len(real), dtype=bool)
    covered = np.zeros(len(real), dtype=bool)
    for part, distances in blocks(generated, real):
        in_real = distances <= real_radius
        inside[part] = in_real.sum(axis=1)
        covered |= in_real.any(axis=0)
        recalled |= (distances <= generated_radius[part, None]).any(axis=0)
    return {
        "precision": float((inside > 0).mean()),
        "recall": float(recalled.mean()),
        "density": float(inside.mean() / neighbours),
        "coverage": float(covered.mean()),
    }


def _radius(features: np.ndarray, neighbours: int) -> np.ndarray:
    """Squared distance of each image to its k-th nearest other image, float64 N."""
    radius = np.empty(len(features))
    for part, distances in blocks(features, features):
        # Index 0 is the image itself.
        radius[part] = np.partition(distances, neighbours, axis=1)[:, neighbours]
    return radius
