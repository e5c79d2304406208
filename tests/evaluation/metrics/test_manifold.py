"""Kernel distance and neighbours against torch-fidelity on the same features, and against what they mean."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric

from dlcv.evaluation.metrics.kernel import kernel_distance
from dlcv.evaluation.metrics.manifold import manifold_scores
from dlcv.evaluation.metrics.neighbours import memorised, nearest


def two_sets(count: int = 200, dimension: int = 24) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    generated, real = rng.normal(size=(2, count, dimension)).astype(np.float32)
    return generated * 0.8 + 0.2, real


def test_kernel_distance_is_torch_fidelitys() -> None:
    generated, real = two_sets()
    ours = kernel_distance(generated, real[:150], subsets=7, subset_size=60, seed=3)
    theirs = kid_features_to_metric(
        torch.from_numpy(generated), torch.from_numpy(real[:150]),
        kid_subsets=7, kid_subset_size=60, rng_seed=3, verbose=False,
    )  # fmt: skip
    assert ours.value == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-4)
    assert ours.standard_deviation == pytest.approx(theirs["kernel_inception_distance_std"], rel=1e-4)
    with pytest.raises(ValueError, match="subsets of 151"):
        kernel_distance(generated, real[:150], subsets=7, subset_size=151, seed=3)


def test_kernel_distance_of_one_distribution_scatters_around_0() -> None:
    x, y = np.random.default_rng(0).normal(size=(2, 400, 24))
    same = kernel_distance(x, y, subsets=50, subset_size=100, seed=0)
    assert abs(same.value) < same.standard_deviation
    assert kernel_distance(x, y + 0.5, subsets=50, subset_size=100, seed=0).value > 5 * same.standard_deviation


@pytest.mark.parametrize("count", [200, 1100])  # within one block, and over several
def test_precision_and_recall_are_torch_fidelitys(count: int) -> None:
    generated, real = two_sets(count)
    ours = manifold_scores(generated, real, neighbours=3)
    theirs = prc_features_to_metric(
        torch.from_numpy(generated), torch.from_numpy(real), prc_neighborhood=3, verbose=False
    )
    assert ours["precision"] == pytest.approx(theirs["precision"], abs=1e-6)
    assert ours["recall"] == pytest.approx(theirs["recall"], abs=1e-6)
    assert 0 < ours["recall"] < ours["precision"] < 1


def test_density_and_coverage_are_their_definition() -> None:
    generated, real = two_sets(60, 4)
    ours = manifold_scores(generated, real, neighbours=3)
    between = np.linalg.norm(generated[:, None] - real[None], axis=2)
    radius = np.sort(np.linalg.norm(real[:, None] - real[None], axis=2), axis=1)[:, 3]
    assert ours["density"] == pytest.approx((between <= radius).sum() / (3 * 60))
    assert ours["coverage"] == pytest.approx((between.min(axis=0) <= radius).mean())


def test_a_collapsed_model_is_precise_and_covers_nothing() -> None:
    _, real = two_sets(300, 8)
    one_image = np.repeat(real[:1], 300, axis=0)
    scores = manifold_scores(one_image, real, neighbours=5)
    assert scores["precision"] == 1 and scores["recall"] <= 0.01 and scores["coverage"] < 0.1
    with pytest.raises(ValueError, match="300 and 299"):
        manifold_scores(real, real[:299], neighbours=5)


def test_nearest_finds_the_image_that_was_moved_a_little() -> None:
    training = np.random.default_rng(0).normal(size=(700, 16))
    order = np.random.default_rng(1).permutation(700)[:600]
    index, distance = nearest(training[order] + 0.01, training)
    assert np.array_equal(index, order)
    assert distance == pytest.approx(np.full(600, 0.01 * 4), rel=1e-3)


def test_memorised_tells_copies_from_new_images() -> None:
    rng = np.random.default_rng(0)
    training, validation, new = rng.normal(size=(3, 300, 16))
    assert memorised(training[:100], validation, training) == 1
    assert memorised(new, validation, training) == pytest.approx(0.5, abs=0.07)
    assert memorised(new * 4, validation, training) < 0.05
    assert memorised(validation, validation, training) == 0.5
    half = np.concatenate([training[:50], new[:50]])
    assert memorised(half, validation, training) == pytest.approx(0.75, abs=0.07)
