"""Precision and recall against torch-fidelity on the same features; density and coverage against their definition."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch_fidelity.metric_prc import prc_features_to_metric

from dlcv.evaluation.metrics.manifold import manifold_scores

from .conftest import two_sets


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


@pytest.mark.parametrize("count", [60, 1100])  # within one block, and over several
def test_coverage_of_all_blocks_is_joined(count: int) -> None:
    generated, real = two_sets(count, 4)
    between = ((generated[:, None] - real[None]) ** 2).sum(2)
    radius = np.sort(((real[:, None] - real[None]) ** 2).sum(2), axis=1)[:, 3]
    assert manifold_scores(generated, real, neighbours=3)["coverage"] == (between <= radius).any(0).mean()


def test_as_many_images_as_neighbours_are_refused() -> None:
    _, real = two_sets(5, 4)
    assert manifold_scores(real, real, neighbours=4)["recall"] == 1  # each image lies on the edge of a ball, too
    with pytest.raises(ValueError, match="5 and 5 images for 5 neighbours"):
        manifold_scores(real, real, neighbours=5)


def test_the_edge_of_a_ball_belongs_to_it() -> None:
    """Balls of radius 2 around the first images, which reach just to the second ones."""
    first, second = np.array([[0.0], [2], [100], [102]]), np.array([[4.0], [-2], [98], [104]])
    assert manifold_scores(second, first, neighbours=1)["precision"] == 1
    assert manifold_scores(first, second, neighbours=1)["recall"] == 1


def test_a_collapsed_model_is_precise_and_covers_nothing() -> None:
    _, real = two_sets(300, 8)
    one_image = np.repeat(real[:1], 300, axis=0)
    scores = manifold_scores(one_image, real, neighbours=5)
    assert scores["precision"] == 1 and scores["recall"] <= 0.01 and scores["coverage"] < 0.1
    with pytest.raises(ValueError, match="300 and 299"):
        manifold_scores(real, real[:299], neighbours=5)
