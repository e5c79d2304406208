"""Nearest neighbours, and the share of memorised images."""

from __future__ import annotations

import numpy as np
import pytest

from dlcv.evaluation.metrics.neighbours import memorised, nearest


def test_nearest_finds_the_image_that_was_moved_a_little() -> None:
    training = np.random.default_rng(0).normal(size=(700, 16))
    order = np.random.default_rng(1).permutation(700)[:600]
    index, distance = nearest(training[order] + 0.01, training)
    assert np.array_equal(index, order) and index.dtype == np.int64
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
