"""Intervals against scipy and against resampling."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from dlcv.evaluation.metrics.intervals import paired_bootstrap, wilson


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (10, 10), (1, 3), (960, 2000), (1, 1)])
def test_wilson_agrees_with_scipy_and_contains_its_point(successes: int, trials: int) -> None:
    low, high = wilson(successes, trials)
    reference = binomtest(successes, trials).proportion_ci(method="wilson")
    assert (low, high) == pytest.approx((reference.low, reference.high), abs=1e-12)
    assert low <= successes / trials <= high


def test_wilson_stays_in_0_to_1_for_any_number() -> None:
    """Rounding would take some of these ends beyond."""
    for trials in range(1, 200):
        assert wilson(0, trials)[0] == 0 and wilson(trials, trials)[1] == 1


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
    again = paired_bootstrap(first, second, seed=0)
    assert again == paired_bootstrap(first, second, seed=0, resamples=10_000) != paired_bootstrap(first, second, seed=1)


@pytest.mark.parametrize("shapes", [(3, 2), ((2, 2), (2, 2)), (0, 0)])
def test_paired_bootstrap_refuses_what_is_not_paired(shapes: tuple[Any, Any]) -> None:
    with pytest.raises(ValueError, match="not paired: .* and "):
        paired_bootstrap(np.ones(shapes[0], bool), np.ones(shapes[1], bool), seed=0)
