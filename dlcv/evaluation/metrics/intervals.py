"""Confidence intervals that contain their point estimate."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtri


def wilson(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a share (JASA 1927); it lies in [0, 1] and contains the share.

    Args:
        successes: number of successes, 0..trials.
        trials: at least 1.
        level: of confidence, in (0, 1).

    Returns:
        Lower and upper end.
    """
    if not 0 <= successes <= trials or trials < 1:
        raise ValueError(f"no share: {successes} of {trials}")
    z = float(ndtri(0.5 + level / 2))
    share = successes / trials
    centre = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z / (1 + z**2 / trials) * math.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    # Rounding may move an end beyond a share of exactly 0 or 1.
    return max(0.0, min(centre - half, share)), min(1.0, max(centre + half, share))


def paired_bootstrap(
    first: np.ndarray, second: np.ndarray, seed: int, level: float = 0.95, resamples: int = 10_000
) -> tuple[float, float, float]:
    """Difference of two accuracies on the same images, and its percentile-bootstrap interval.

    Each image is drawn with both predictions, so its difficulty for both cancels out.

    Args:
        first, second: whether each image was classified correctly; bool, N, in the same order.
        seed: of the resampling.
        level: of confidence, in (0, 1).
        resamples: number of bootstrap samples.

    Returns:
        mean(first) - mean(second), lower and upper end.
    """
    if first.shape != second.shape or first.ndim != 1 or not len(first):
        raise ValueError(f"not paired: {first.shape} and {second.shape}")
    count = len(first)
    wins = int((first & ~second).sum())
    losses = int((~first & second).sum())
    # Resampling N images is one draw from the multinomial distribution of wins, losses and ties.
    shares = np.array([wins, losses, count - wins - losses]) / count
    draws = np.random.default_rng(seed).multinomial(count, shares, size=resamples)
    differences = (draws[:, 0] - draws[:, 1]) / count
    low, high = np.quantile(differences, [0.5 - level / 2, 0.5 + level / 2])
    point = (wins - losses) / count
    return point, min(float(low), point), max(float(high), point)
