"""What several trainings of one model tell: intervals for a new training, and for the difference of two methods.

A score varies from training to training (initial weights, order of the images, arithmetic of the machine) and with the
images that are scored. An interval from one training knows only the images. Here both variances are joined.

- A model that generates has new images in each training, so the standard deviation s over trainings holds both
  variances. It is estimated from few trainings and may come out too small, but never truly lies below the variance
  over images: the larger of the two is taken, the estimate of variance components by moments that is cut off at 0
  (DerSimonian and Laird 1986).
- A classifier is tested on the same images in each training, so s holds nothing of the images' variance, and the two
  half-widths are added in squares (MOVER, Zou and Donner 2008).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import ndtri, stdtrit


def new_training(
    values: Sequence[float], variance: float, *, same_images: bool, level: float = 0.95
) -> tuple[float, float, float]:
    """The mean of a score over trainings, and the prediction interval for a new training on as many new images.

    The interval is that of a new value of a normal distribution, mean ± t s sqrt(1 + 1/k) with the quantile t of k - 1
    degrees of freedom (Geisser 1993, section 2.1). From one training it is the interval over images, and knows nothing
    of other trainings.

    Args:
        values: the score of each of k trainings.
        variance: of one score over its images, the mean over the trainings.
        same_images: whether all trainings are scored on the same images.
        level: of confidence, in (0, 1).

    Returns:
        Mean, lower and upper end.
    """
    mean, count = float(np.mean(values)), len(values)
    over_images = float(ndtri(0.5 + level / 2)) * math.sqrt(variance)
    if count == 1:
        return mean, mean - over_images, mean + over_images
    over_trainings = _quantile(count, level) * float(np.std(values, ddof=1))
    if same_images:
        # Both the images that the mean was measured on and the new ones have this variance.
        half = math.hypot(over_trainings * math.sqrt(1 + 1 / count), over_images * math.sqrt(2))
    else:
        half = max(over_trainings, over_images) * math.sqrt(1 + 1 / count)
    return mean, mean - half, mean + half


def mean_difference(
    differences: Sequence[float], variance: float, *, same_images: bool, level: float = 0.95
) -> tuple[float, float, float]:
    """The mean difference of two methods over pairs of trainings with equal seeds, and its t-interval.

    Args:
        differences: of each of k pairs.
        variance: over images: the mean of the differences' variances, or, for `same_images`, that of the mean
            difference.
        same_images: whether all trainings are scored on the same images.
        level: of confidence, in (0, 1).

    Returns:
        Mean, lower and upper end. From one pair the interval is that over images.
    """
    mean, count = float(np.mean(differences)), len(differences)
    over_images = float(ndtri(0.5 + level / 2)) * math.sqrt(variance)
    if count == 1:
        return mean, mean - over_images, mean + over_images
    over_trainings = _quantile(count, level) * float(np.std(differences, ddof=1)) / math.sqrt(count)
    half = (
        math.hypot(over_trainings, over_images) if same_images else max(over_trainings, over_images / math.sqrt(count))
    )
    return mean, mean - half, mean + half


def variance_of(low: float, high: float, level: float = 0.95) -> float:
    """The variance of a score whose interval over images is known, as that of a normal distribution."""
    return float(((high - low) / 2 / ndtri(0.5 + level / 2)) ** 2)


def _quantile(count: int, level: float) -> float:
    return float(stdtrit(count - 1, 0.5 + level / 2))
