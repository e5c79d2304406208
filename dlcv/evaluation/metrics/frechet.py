"""The Fréchet distance between two sets of features as Gaussians, in float64, and its interval.

    d^2 = |mean_a - mean_b|^2 + tr(A) + tr(B) - 2 tr (A B)^(1/2)

Dowson and Landau 1982; with InceptionV3's features it is the FID of Heusel et al. 2017.

A covariance A is stored as a factor F of at most D rows, A = F^T F. The trace of the root is then the sum of the
singular values of F_a F_b^T. This avoids `scipy.linalg.sqrtm` of a D x D matrix, which is singular with fewer images
than features, and the digits that squaring loses. The rounding error is below 1e-12 of tr(A) + tr(B).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit


@dataclass(frozen=True)
class Statistics:
    """Mean and covariance of features.

    Attributes:
        mean: float64, D.
        factor: float64, R x D with R at most D or `count`; the covariance (of divisor `count` - 1) is
            factor.T @ factor.
        count: of images.
    """

    mean: np.ndarray
    factor: np.ndarray
    count: int


def statistics(features: np.ndarray) -> Statistics:
    """Mean and covariance of features, N x D with N at least 2."""
    count, dimension = features.shape
    if count < 2:
        raise ValueError(f"no covariance of {count} images")
    mean = features.mean(axis=0, dtype=np.float64)
    factor = (features - mean) / math.sqrt(count - 1)
    if count > dimension:
        # F = QR gives F^T F = R^T R: D rows are enough.
        factor = np.linalg.qr(factor, mode="r")
    return Statistics(mean, factor, count)


def distance(a: Statistics, b: Statistics) -> float:
    """The (squared) Fréchet distance, 0 or more, in squared units of the features."""
    return _distance(a.mean - b.mean, (a.factor**2).sum(), (b.factor**2).sum(), a.factor @ b.factor.T)


def _distance(shift: np.ndarray, trace_a: float, trace_b: float, product: np.ndarray) -> float:
    root = np.linalg.svd(product, compute_uv=False).sum()
    return max(0.0, float(shift @ shift + trace_a + trace_b - 2 * root))


def leave_group_out(features: np.ndarray, reference: Statistics, groups: int) -> list[float]:
    """The distance to `reference` with each of `groups` equal groups of images left out.

    Group g is every `groups`-th image from the g-th on, so any order of the images is spread over all groups. A
    remainder too small for equal groups is never left out.

    Args:
        features: N x D.
        groups: 2 to N/2.
    """
    count = len(features)
    if not 2 <= groups <= count // 2:
        raise ValueError(f"{groups} groups of {count} images")
    features = features.astype(np.float64)
    trace = (reference.factor**2).sum()
    # All subsets consist of the same rows, so the product with the reference's factor is computed once.
    projected = features @ reference.factor.T
    whole = count - count % groups
    distances = []
    for group in range(groups):
        kept = np.ones(count, dtype=bool)
        kept[group:whole:groups] = False
        rows, product = features[kept], projected[kept]
        mean, divisor = rows.mean(axis=0), len(rows) - 1
        product = (product - product.mean(axis=0)) / math.sqrt(divisor)
        distances.append(_distance(mean - reference.mean, ((rows - mean) ** 2).sum() / divisor, trace, product))
    return distances


def interval(point: float, left_out: Sequence[float], level: float = 0.95) -> tuple[float, float]:
    """Delete-a-group jackknife interval of a distance, which contains it and does not go below 0.

    The bootstrap fails here: repeated images look like a narrower set, so the whole interval lies above the distance.
    Leaving a group out shifts all distances by the same small amount, which cancels out in their deviations.

    Args:
        point: the distance with all images.
        left_out: the distances from `leave_group_out`.

    Returns:
        Lower and upper end, for other sets of equally many images of the same model against the same reference.
    """
    half = _half_width(np.array(left_out), level)
    return max(0.0, point - half), point + half


def difference(
    point_a: float, left_out_a: Sequence[float], point_b: float, left_out_b: Sequence[float], level: float = 0.95
) -> tuple[float, float, float]:
    """The difference of two distances to one reference and its jackknife interval, paired by group.

    For models that share their latents, what a group of latents adds to both distances cancels out. For independent
    models the variances add up.

    Returns:
        point_a - point_b, lower and upper end.
    """
    if len(left_out_a) != len(left_out_b):
        raise ValueError(f"not paired: {len(left_out_a)} and {len(left_out_b)} groups")
    point = point_a - point_b
    half = _half_width(np.array(left_out_a) - np.array(left_out_b), level)
    return point, point - half, point + half


def _half_width(left_out: np.ndarray, level: float) -> float:
    groups = len(left_out)
    variance = (groups - 1) * left_out.var()  # (g - 1)/g times the sum of squared deviations
    return float(stdtrit(groups - 1, 0.5 + level / 2) * math.sqrt(variance))
