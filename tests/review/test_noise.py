"""Whether a change of a score exceeds the noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dlcv.evaluation.metrics.classification import accuracy, pack, unpack
from dlcv.evaluation.metrics.intervals import wilson
from dlcv.review.noise import change


def classified(*each: np.ndarray) -> dict[str, Any]:
    """The accuracy of some trainings on the same images."""
    trainings = [{"seed": seed, **accuracy(own), "outcomes": pack(own)} for seed, own in enumerate(each)]
    return {"value": float(np.mean([own.mean() for own in each])), "trainings": trainings}


def drawn(*values: float, half: float = 2.0, left_out: list[float] | None = None) -> dict[str, Any]:
    """The distance of some trainings."""
    about = {} if left_out is None else {"left_out": left_out}
    trainings = [
        {"seed": seed, "value": value, "interval": {"low": value - half, "high": value + half}, **about}
        for seed, value in enumerate(values)
    ]
    return {"value": float(np.mean(values)), "trainings": trainings}


def test_outcomes_survive_a_file() -> None:
    correct = np.random.default_rng(0).random(16) < 0.5
    assert (unpack(pack(correct)) == correct).all()


def test_the_same_images_are_paired() -> None:
    correct = np.arange(400) % 2 == 0
    other = correct.copy()
    other[1:40:2] = True  # 20 images more, and none less
    paired = change(classified(correct), classified(other), None)
    assert paired.value == pytest.approx(0.05) and paired.interval is not None
    assert paired.exceeds and paired.interval[0] == pytest.approx(0.0286, abs=1e-3) and paired.noise == "images"
    unpaired = change({"value": 0.5}, classified(other), None)
    low, high = wilson(220, 400)
    assert not unpaired.exceeds and unpaired.interval is not None
    assert unpaired.interval[1] - unpaired.interval[0] == pytest.approx(2**0.5 * (high - low), rel=1e-3)


def test_the_noise_of_training_is_added() -> None:
    few = change(drawn(50.0), drawn(60.0), None), change(drawn(50.0), drawn(60.0), 12.0)
    assert [one.exceeds for one in few] == [True, False]
    assert few[1].noise == "images and trainings (12 of one)"
    assert change(drawn(50.0), drawn(90.0), 12.0).exceeds


def test_three_pairs_tell_the_noise_themselves() -> None:
    before, after = drawn(50.0, 70.0, 60.0), drawn(55.0, 75.5, 64.5)
    one = change(before, after, 12.0)
    assert one.noise == "3 pairs of trainings" and one.value == pytest.approx(5.0) and one.exceeds
    assert not change(drawn(50.0, 70.0, 60.0), drawn(70.0, 55.0, 70.0), 12.0).exceeds


def test_images_from_the_same_latents_are_paired() -> None:
    left_out = [49.0, 50.0, 51.0, 50.5, 49.5]
    shifted = [value + 1 + 0.01 * index for index, value in enumerate(left_out)]
    own = drawn(51.0, half=3.0, left_out=shifted)
    assert change(drawn(50.0, half=3.0, left_out=left_out), own, None).exceeds
    assert not change(drawn(50.0, half=3.0), own, None).exceeds


def test_a_score_without_any_noise_is_not_judged() -> None:
    one = change({"value": 0.2}, {"value": 0.1, "trainings": [{"seed": 0, "value": 0.1}]}, None)
    assert one.interval is None and not one.exceeds and one.noise == "not known"
