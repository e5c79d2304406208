"""The Fréchet distance against closed forms and scipy, and its interval against repeated draws."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import sqrtm

from dlcv.evaluation.metrics.frechet import Statistics, difference, distance, interval, leave_group_out, statistics


def test_diagonal_covariances_have_a_closed_form() -> None:
    ascending, descending = np.arange(1.0, 9), np.arange(8.0, 0, -1)
    a = Statistics(np.zeros(8), np.diag(np.sqrt(ascending)), 100)
    b = Statistics(np.ones(8), np.diag(np.sqrt(descending)), 100)
    closed = 8 + ((np.sqrt(ascending) - np.sqrt(descending)) ** 2).sum()
    assert distance(a, b) == pytest.approx(18.860555, abs=1e-6) == closed


@pytest.mark.parametrize("counts", [(300, 200), (41, 300), (300, 41)])
def test_full_rank_agrees_with_the_root_of_scipy(counts: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    x, y = (rng.normal(size=(count, 40)) @ rng.normal(size=(40, 40)) + rng.normal(size=40) for count in counts)
    a, b = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    shift = x.mean(0) - y.mean(0)
    expected = shift @ shift + np.trace(a + b - 2 * sqrtm(a @ b).real)
    assert distance(statistics(x), statistics(y)) == pytest.approx(expected, rel=1e-6)


def test_few_images_of_many_features() -> None:
    """Rank 19 of 500: scipy's root of the singular product is lost, the eigenvalues of the small side are exact."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 500)), rng.normal(size=(30, 500))
    a, b = (np.cov(z, rowvar=False) for z in (x, y))
    eigenvalues, vectors = np.linalg.eigh(a)
    root = (vectors * np.sqrt(eigenvalues.clip(0))) @ vectors.T
    overlap = np.sqrt(np.linalg.eigvalsh(root @ b @ root).clip(0)).sum()
    expected = ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(a) + np.trace(b) - 2 * overlap
    assert distance(statistics(x), statistics(y)) == pytest.approx(expected, rel=1e-6)
    assert distance(statistics(x), statistics(x)) == pytest.approx(0, abs=1e-10)


def test_factor_is_the_covariance_and_no_larger_than_needed() -> None:
    features = np.random.default_rng(0).normal(size=(50, 7)).astype(np.float32)
    for rows in (features, features[:5]):
        made = statistics(rows)
        assert made.factor.shape == (min(rows.shape), 7) and made.factor.dtype == np.float64
        assert made.factor.T @ made.factor == pytest.approx(np.cov(rows.astype(np.float64), rowvar=False), abs=1e-12)
    with pytest.raises(ValueError, match="no covariance of 1"):
        statistics(features[:1])


@pytest.mark.parametrize("count", [40, 43])
def test_left_out_groups_are_the_distances_of_what_is_left(count: int) -> None:
    rng = np.random.default_rng(0)
    features, reference = rng.normal(size=(count, 12)), statistics(rng.normal(size=(300, 12)) * 2)
    left_out = leave_group_out(features, reference, 4)
    for group, value in enumerate(left_out):
        gone = np.arange(group, 40, 4)
        assert value == pytest.approx(distance(statistics(np.delete(features, gone, axis=0)), reference), rel=1e-10)
    for groups in (1, count):
        with pytest.raises(ValueError, match=f"{groups} groups of {count}"):
            leave_group_out(features, reference, groups)


def test_the_smallest_groups_and_sets_are_accepted() -> None:
    rng = np.random.default_rng(0)
    reference = statistics(rng.normal(size=(50, 3)))
    assert len(leave_group_out(rng.normal(size=(6, 3)), reference, 2)) == 2
    assert len(leave_group_out(rng.normal(size=(6, 3)), reference, 3)) == 3  # two images in each
    with pytest.raises(ValueError, match="3 groups of 5"):
        leave_group_out(rng.normal(size=(5, 3)), reference, 3)
    assert statistics(rng.normal(size=(2, 3))).count == 2


def test_an_interval_written_out() -> None:
    """Four groups: the variance is 3/4 of the sum of squares, 5; t of 3 degrees of freedom at 0.975 is 3.18245."""
    half = 3.18245 * (0.75 * 5) ** 0.5
    assert interval(10.0, [8.0, 9.0, 10.0, 11.0]) == pytest.approx((10 - half, 10 + half), rel=1e-5)
    assert difference(10.0, [8.0, 9.0, 10.0, 11.0], 4.0, [0.0] * 4) == pytest.approx((6, 6 - half, 6 + half), abs=1e-4)


def test_interval_contains_its_point_and_covers_other_draws() -> None:
    """Drawn again and again, the intervals hold the mean distance of that count about 95 times in 100."""
    rng = np.random.default_rng(0)
    reference = statistics(rng.normal(size=(2000, 6)))
    draws = rng.normal(loc=0.3, scale=1.2, size=(200, 120, 6))
    points = [distance(statistics(draw), reference) for draw in draws]
    held = 0
    for draw, point in zip(draws, points, strict=True):
        low, high = interval(point, leave_group_out(draw, reference, 20))
        assert 0 <= low <= point <= high
        held += low <= np.mean(points) <= high
    assert 0.9 <= held / len(draws) <= 0.99


def test_a_difference_is_narrower_for_models_that_share_their_latents() -> None:
    rng = np.random.default_rng(0)
    reference = statistics(rng.normal(size=(1000, 6)))
    latents, others = rng.normal(size=(2, 200, 6))
    first, paired, unpaired = latents * 1.5, latents * 1.6, others * 1.6
    scored = {}
    for name, features in {"first": first, "paired": paired, "unpaired": unpaired}.items():
        scored[name] = distance(statistics(features), reference), leave_group_out(features, reference, 20)
    point, low, high = difference(*scored["paired"], *scored["first"])
    assert point == pytest.approx(scored["paired"][0] - scored["first"][0]) and 0 < low <= point <= high
    _, low_unpaired, high_unpaired = difference(*scored["unpaired"], *scored["first"])
    assert high - low < 0.5 * (high_unpaired - low_unpaired)
    with pytest.raises(ValueError, match="not paired"):
        difference(1.0, [1.0, 2.0], 1.0, [1.0])
