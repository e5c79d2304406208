"""The kernel distance against torch-fidelity on the same features."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch_fidelity.metric_kid import kid_features_to_metric

from dlcv.evaluation.metrics.kernel import kernel_distance

from .conftest import two_sets


def test_kernel_distance_is_torch_fidelitys() -> None:
    generated, real = two_sets()
    ours = kernel_distance(generated, real[:150], subsets=7, subset_size=60, seed=3)
    theirs = kid_features_to_metric(
        torch.from_numpy(generated), torch.from_numpy(real[:150]),
        kid_subsets=7, kid_subset_size=60, rng_seed=3, verbose=False,
    )  # fmt: skip
    assert ours.value == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-4)
    assert ours.standard_deviation == pytest.approx(theirs["kernel_inception_distance_std"], rel=1e-4)
    assert (ours.subsets, ours.subset_size) == (7, 60)
    assert kernel_distance(generated[:2], real[:2], subsets=1, subset_size=2, seed=3).value != 0
    with pytest.raises(ValueError, match="subsets of 151"):
        kernel_distance(generated, real[:150], subsets=7, subset_size=151, seed=3)


def test_kernel_distance_of_one_distribution_scatters_around_0() -> None:
    x, y = np.random.default_rng(0).normal(size=(2, 400, 24))
    same = kernel_distance(x, y, subsets=50, subset_size=100, seed=0)
    assert abs(same.value) < same.standard_deviation
    assert kernel_distance(x, y + 0.5, subsets=50, subset_size=100, seed=0).value > 5 * same.standard_deviation
