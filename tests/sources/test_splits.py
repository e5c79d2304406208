from __future__ import annotations

import numpy as np
import pytest

from dlcv.runtime.errors import UserError
from dlcv.sources.splits import SourceSplit, require_all_digits, stratified, train_val_split


def labels_of(sizes: list[int]) -> np.ndarray:
    return np.repeat(np.arange(len(sizes)), sizes)


def test_a_sample_keeps_the_class_shares_and_has_no_image_twice() -> None:
    labels = labels_of([500, 300, 200])
    chosen = stratified(labels, 1000, 100, np.random.default_rng(0))
    assert len(set(chosen.tolist())) == 100
    assert np.bincount(labels[chosen]).tolist() == [50, 30, 20]


def test_a_sample_has_every_class_and_the_size_of_the_limit() -> None:
    labels = labels_of([1000, 1, 1, 1])
    chosen = stratified(labels, 1003, 10, np.random.default_rng(0))
    assert np.bincount(labels[chosen]).tolist() == [7, 1, 1, 1]


def test_without_a_limit_all_images_are_in_random_order() -> None:
    chosen = stratified(labels_of([50, 50]), 100, None, np.random.default_rng(0))
    assert sorted(chosen) == list(range(100))
    assert chosen.tolist() != sorted(chosen)


def test_a_sample_depends_only_on_the_seed() -> None:
    draws = [stratified(labels_of([50, 50]), 100, 20, np.random.default_rng(seed)).tolist() for seed in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]


def test_the_splits_are_disjoint_and_have_every_image() -> None:
    labels = labels_of([60, 60])
    train, val = train_val_split(labels, 120, 20, np.random.default_rng(0))
    assert sorted([*train, *val]) == list(range(120))
    assert np.bincount(labels[val]).tolist() == [10, 10]


def test_take_reads_only_the_requested_images() -> None:
    requested: list[int] = []

    def read(indices: np.ndarray) -> np.ndarray:
        requested.extend(indices.tolist())
        return np.zeros((len(indices), 2, 2, 3), dtype=np.uint8)

    split = SourceSplit(10, np.arange(10), read).take(np.array([7, 3, 5]))
    split.read(np.array([2, 0]))
    assert requested == [5, 7] and split.labels is not None and split.labels.tolist() == [7, 3, 5]


def test_an_empty_class_is_refused() -> None:
    labels = np.array([0, 1, 2, 3, 4, 5, 6, 8])
    split = SourceSplit.from_arrays(np.zeros((8, 1, 1, 3), dtype=np.uint8), labels)
    with pytest.raises(UserError, match=r"^val of usps has no image of class 7, 9; every split of digits needs"):
        require_all_digits(split, "val of usps")
