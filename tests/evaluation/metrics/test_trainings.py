"""Intervals from several trainings: their formulas, and how often they contain what they promise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from dlcv.evaluation.metrics.trainings import mean_difference, new_training, variance_of


def test_one_training_has_the_interval_of_its_images() -> None:
    for interval in (
        new_training([0.8], 0.01**2, same_images=True),
        new_training([0.8], 0.01**2, same_images=False),
        mean_difference([0.8], 0.01**2, same_images=True),
    ):
        assert interval == pytest.approx((0.8, 0.8 - 0.0196, 0.8 + 0.0196), abs=1e-5)


def test_a_new_training_written_out() -> None:
    values, t = [10.0, 14.0, 12.0], stats.t.ppf(0.975, 2)  # standard deviation 2
    mean, low, high = new_training(values, 0.5**2, same_images=False)
    assert mean == 12 and high - mean == pytest.approx(t * 2 * math.sqrt(4 / 3)) == mean - low
    # Trainings that agree by chance: at least the variance of the images is left.
    mean, _, high = new_training([12.0, 12.0, 12.0], 0.5**2, same_images=False)
    assert high - mean == pytest.approx(1.959964 * 0.5 * math.sqrt(4 / 3))
    # On the same images the two parts add up in squares.
    mean, _, high = new_training(values, 0.5**2, same_images=True)
    assert high - mean == pytest.approx(math.hypot(t * 2 * math.sqrt(4 / 3), 1.959964 * 0.5 * math.sqrt(2)))


def test_a_mean_difference_written_out() -> None:
    differences, t = [3.0, 7.0, 5.0], stats.t.ppf(0.975, 2)
    mean, low, high = mean_difference(differences, 0.3**2, same_images=False)
    assert (mean, high - mean) == (5, pytest.approx(t * 2 / math.sqrt(3))) and mean - low == high - mean
    mean, _, high = mean_difference(differences, 0.3**2, same_images=True)
    assert high - mean == pytest.approx(math.hypot(t * 2 / math.sqrt(3), 1.959964 * 0.3))
    mean, _, high = mean_difference([5.0, 5.0], 0.3**2, same_images=False)
    assert high - mean == pytest.approx(1.959964 * 0.3 / math.sqrt(2))


def test_variance_of_an_interval() -> None:
    assert variance_of(0.8 - 0.0196, 0.8 + 0.0196) == pytest.approx(0.01**2, rel=1e-4)


@pytest.mark.parametrize("between", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("count", [2, 3, 5])
def test_new_trainings_of_a_generator_fall_into_the_interval(between: float, count: int) -> None:
    """Scores of known variance, 1 over the images: at least 95 % of new ones are inside."""
    rng = np.random.default_rng(count)
    scores = rng.normal(0, math.hypot(between, 1.0), size=(2000, count + 1))
    inside = 0
    for row in scores:
        _, low, high = new_training(row[:-1].tolist(), 1.0, same_images=False)
        inside += low <= row[-1] <= high
    assert inside / len(scores) > 0.94


@pytest.mark.parametrize("between", [0.0, 0.02])
def test_new_trainings_of_a_classifier_on_new_images_fall_into_the_interval(between: float) -> None:
    """All trainings are tested on the same 400 images, which all find easy or hard together; the new one on others."""
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(500):
        *old, new = rng.normal(0.8, between, size=4)
        hardness, others = rng.random(400), rng.random(400)
        values = [float((hardness < one).mean()) for one in old]
        variance = float(np.mean([value * (1 - value) / 400 for value in values]))
        _, low, high = new_training(values, variance, same_images=True)
        inside += low <= (others < new).mean() <= high
    assert inside / 500 > 0.93


def test_an_interval_from_one_training_does_not_hold_for_another() -> None:
    """What the statement needs three trainings for: the images alone promise far too much."""
    rng = np.random.default_rng(0)
    scores = rng.normal(0, math.hypot(3.0, 1.0), size=(2000, 2))
    inside = [abs(new - old) <= 1.959964 for old, new in scores]
    assert np.mean(inside) < 0.5
