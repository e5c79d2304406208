"""The kernel distance between two sets of features, KID (Binkowski et al., ICLR 2018)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class KernelDistance:
    """Mean and standard deviation of the squared distance over subsets.

    The estimate is unbiased, so for two sets of one distribution it scatters around 0.
    """

    value: float
    standard_deviation: float
    subsets: int
    subset_size: int


def kernel_distance(
    features: np.ndarray, reference: np.ndarray, subsets: int, subset_size: int, seed: int
) -> KernelDistance:
    """KID with the kernel (x.y/D + 1)^3 over random subsets of equal size.

    torch-fidelity draws the same subsets with the same seed.

    Args:
        features, reference: N x D and M x D.
        subsets: number of subsets.
        subset_size: images in each, 2 to min(N, M).
        seed: of the subsets.
    """
    if not 2 <= subset_size <= min(len(features), len(reference)):
        raise ValueError(f"subsets of {subset_size} out of {len(features)} and {len(reference)} images")
    rng = np.random.RandomState(seed)
    values = np.empty(subsets)
    for index in range(subsets):
        x = features[rng.choice(len(features), subset_size, replace=False)].astype(np.float64)
        y = reference[rng.choice(len(reference), subset_size, replace=False)].astype(np.float64)
        values[index] = mmd(x, y)
    return KernelDistance(float(values.mean()), float(values.std()), subsets, subset_size)


def mmd(x: np.ndarray, y: np.ndarray) -> float:
    """The unbiased estimate of the squared maximum mean discrepancy between two sets of equal size."""
    count = len(x)
    within = sum(kernel.sum() - np.trace(kernel) for kernel in (_kernel(x, x), _kernel(y, y)))
    return float(within / (count * (count - 1)) - 2 * _kernel(x, y).mean())


def _kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    kernel: np.ndarray = (x @ y.T / x.shape[1] + 1) ** 3
    return kernel
