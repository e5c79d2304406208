"""Scores and intervals against values known otherwise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from dlcv.evaluation import tsne
from dlcv.evaluation.metrics.classification import accuracy, confusion_matrix, per_class
from dlcv.evaluation.metrics.intervals import paired_bootstrap, wilson
from dlcv.evaluation.metrics.proxy_a_distance import proxy_a_distance
from dlcv.evaluation.subsets import balanced


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (10, 10), (1, 3), (960, 2000), (1, 1)])
def test_wilson_agrees_with_scipy_and_contains_its_point(successes: int, trials: int) -> None:
    low, high = wilson(successes, trials)
    reference = binomtest(successes, trials).proportion_ci(method="wilson")
    assert (low, high) == pytest.approx((reference.low, reference.high), abs=1e-12)
    assert low <= successes / trials <= high


def test_wilson_refuses_what_is_no_share() -> None:
    for successes, trials in ((1, 0), (3, 2), (-1, 2)):
        with pytest.raises(ValueError, match="no share"):
            wilson(successes, trials)


def test_paired_bootstrap_is_narrower_where_the_answers_agree() -> None:
    rng = np.random.default_rng(0)
    first = rng.random(2000) < 0.8
    second = first.copy()
    second[:60] = False  # loses on at most 60 images and agrees on all others
    point, low, high = paired_bootstrap(first, second, seed=0)
    assert point == pytest.approx(first.mean() - second.mean())
    assert 0 < low <= point <= high
    alone = second.copy()
    rng.shuffle(alone)  # the same accuracy, unpaired
    _, low_alone, high_alone = paired_bootstrap(first, alone, seed=0)
    assert high - low < 0.5 * (high_alone - low_alone)


def test_paired_bootstrap_matches_resampling_the_images() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.random(300) < 0.6, rng.random(300) < 0.5
    index = rng.integers(0, 300, size=(10_000, 300))
    naive = np.quantile(first[index].mean(1) - second[index].mean(1), [0.025, 0.975])
    _, low, high = paired_bootstrap(first, second, seed=0)
    assert (low, high) == pytest.approx(naive, abs=0.01)
    assert paired_bootstrap(first, first, seed=0) == (0.0, 0.0, 0.0)


def test_confusion_rows_are_labels() -> None:
    labels, answers = np.array([0, 0, 1, 2]), np.array([0, 2, 1, 1])
    matrix = confusion_matrix(labels, answers, 3)
    assert matrix.tolist() == [[1, 0, 1], [0, 1, 0], [0, 1, 0]]
    assert per_class(matrix) == [0.5, 1.0, 0.0]
    assert accuracy(labels == answers)["accuracy"] == 0.5


def test_proxy_a_distance_of_the_same_and_of_far_domains() -> None:
    rng = np.random.default_rng(0)
    source, same = rng.normal(size=(2, 500, 20))
    assert proxy_a_distance(source, same, seed=0) < 0.2
    assert proxy_a_distance(source, same + 3, seed=0) > 1.9
    with pytest.raises(ValueError, match="unequal numbers"):
        proxy_a_distance(source, same[:10], seed=0)


def test_balanced_takes_classes_in_equal_numbers_as_far_as_they_go() -> None:
    labels = np.array([0] * 100 + [1] * 100 + [2] * 3)
    chosen = balanced(labels, 23, seed=0)
    assert np.bincount(labels[chosen]).tolist() == [10, 10, 3]
    assert len(set(chosen.tolist())) == 23
    assert np.array_equal(chosen, balanced(labels, 23, seed=0))
    assert not np.array_equal(chosen, balanced(labels, 23, seed=1))
    assert len(balanced(labels, 1000, seed=0)) == 203


def test_tsne_keeps_clusters_apart_and_repeats_itself() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat([0, 1], 40)
    features = (rng.normal(size=(80, 30)) + 8 * groups[:, None]).astype(np.float32)
    embedded = tsne.fit(features, perplexity=10, seed=0)
    assert embedded.shape == (80, 2)
    centres = np.stack([embedded[groups == group].mean(0) for group in (0, 1)])
    nearest = np.linalg.norm(embedded[:, None] - centres, axis=2).argmin(1)
    assert (nearest == groups).all()
    assert np.array_equal(embedded, tsne.fit(features, perplexity=10, seed=0))
