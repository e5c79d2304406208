"""Intervals over trainings, against simulated trainings whose variances are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dlcv.evaluation.metrics.intervals import wilson
from dlcv.evaluation.metrics.trainings import mean_difference, new_training, variance_of

Z = 1.959964


@pytest.mark.parametrize("interval", [new_training, mean_difference])
@pytest.mark.parametrize("same_images", [False, True])
def test_one_training_knows_the_images_alone(interval: object, same_images: bool) -> None:
    assert callable(interval)
    assert interval([0.5], 0.04, same_images=same_images) == pytest.approx((0.5, 0.5 - 0.2 * Z, 0.5 + 0.2 * Z))
    assert interval([0.5], 0.04, same_images=same_images, level=0.6827)[2] == pytest.approx(0.7, abs=1e-3)


def test_the_variance_is_that_of_the_interval() -> None:
    _, low, high = new_training([0.5], 0.04, same_images=False)
    assert variance_of(low, high) == pytest.approx(0.04)
    assert variance_of(*wilson(600, 1000)) == pytest.approx(0.6 * 0.4 / 1000, rel=0.01)


@pytest.mark.parametrize("same_images", [False, True])
@pytest.mark.parametrize("trainings", [2, 3, 6])
@pytest.mark.parametrize(("over_trainings", "over_images"), [(1.0, 0.3), (0.3, 1.0), (0.0, 1.0), (1.0, 0.0)])
def test_about_95_of_100_intervals_hold_a_new_training_and_the_true_difference(
    same_images: bool, trainings: int, over_trainings: float, over_images: float
) -> None:
    """More than 95 where one of both variances hardly matters, because the larger of two half-widths is taken."""
    rng = np.random.default_rng(0)
    repeats = 2000
    images = over_images * rng.normal(size=(repeats, 1 if same_images else trainings))
    values = 7 + over_trainings * rng.normal(size=(repeats, trainings)) + images
    new = 7 + over_trainings * rng.normal(size=repeats) + over_images * rng.normal(size=repeats)
    held = {"new": 0, "mean": 0}
    for each, other in zip(values, new, strict=True):
        for name, interval, expected in (("new", new_training, other), ("mean", mean_difference, 7.0)):
            mean, low, high = interval(each.tolist(), over_images**2, same_images=same_images)
            assert mean == pytest.approx(each.mean()) and mean - low == pytest.approx(high - mean)
            held[name] += low <= expected <= high
    for name, count in held.items():
        assert 0.93 <= count / repeats <= (0.999 if over_images else 0.97), name


def test_trainings_that_differ_make_the_interval_wider_than_the_images_do() -> None:
    _, low, high = new_training([0.5], 0.01, same_images=False)
    for same_images in (False, True):
        _, low_same, high_same = new_training([0.5, 0.5, 0.5], 0.01, same_images=same_images)
        _, low_other, high_other = new_training([0.2, 0.5, 0.8], 0.01, same_images=same_images)
        assert high_other - low_other > 2 * (high_same - low_same) > 2 * (high - low)
    # More trainings make the mean of a difference better known, but not a new training.
    few, many = [0.4, 0.6], [0.4, 0.6] * 50
    for interval, end in ((mean_difference, 0.0), (new_training, 0.2)):
        _, _, wide = interval(few, 0.0, same_images=False)
        _, _, narrow = interval(many, 0.0, same_images=False)
        assert narrow < wide and narrow - 0.5 == pytest.approx(end, abs=0.03)
    # On the same images no number of trainings takes away what the images leave open.
    _, low, high = mean_difference([0.5] * 100, 0.01, same_images=True)
    assert high - low == pytest.approx(2 * 0.1 * Z) and math.isclose(low + high, 1.0)
