from __future__ import annotations

import numpy as np

from dlcv.evaluation.subsets import balanced


def test_balanced_takes_classes_in_equal_numbers_as_far_as_they_go() -> None:
    labels = np.array([0] * 100 + [1] * 100 + [2] * 3)
    chosen = balanced(labels, 23, seed=0)
    assert np.bincount(labels[chosen]).tolist() == [10, 10, 3]
    assert len(set(chosen.tolist())) == 23
    assert np.array_equal(chosen, balanced(labels, 23, seed=0))
    assert not np.array_equal(chosen, balanced(labels, 23, seed=1))
    assert len(balanced(labels, 1000, seed=0)) == 203
