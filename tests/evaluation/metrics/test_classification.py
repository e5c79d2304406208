from __future__ import annotations

import numpy as np

from dlcv.evaluation.metrics.classification import (
    accuracy,
    accuracy_by_digit,
    confusion_matrix,
    pack,
    per_class,
    unpack,
)


def test_confusion_rows_are_labels() -> None:
    labels, predictions = np.array([0, 0, 1, 2]), np.array([0, 2, 1, 1])
    matrix = confusion_matrix(labels, predictions, 3)
    assert matrix.tolist() == [[1, 0, 1], [0, 1, 0], [0, 1, 0]] and matrix.dtype == np.int64
    assert per_class(matrix) == [0.5, 1.0, 0.0]
    assert accuracy(labels == predictions)["accuracy"] == 0.5


def test_accuracy_is_of_all_images_and_of_each_digit() -> None:
    labels, predictions = np.array([0, 0, 1, 1, 5]), np.array([0, 3, 1, 1, 5])
    scores = accuracy_by_digit(labels, predictions)
    assert scores["digit_accuracy"]["accuracy"] == 0.8 and list(scores["digits"]) == ["0", "1", "5"]
    assert [values["accuracy"] for values in scores["digits"].values()] == [0.5, 1.0, 1.0]
    assert scores["confusion"] == confusion_matrix(labels, predictions, 10).tolist()
    for values in (scores["digit_accuracy"], *scores["digits"].values()):
        assert values["interval"]["low"] <= values["accuracy"] <= values["interval"]["high"]


def test_what_is_packed_comes_back_with_wrong_images_at_the_end() -> None:
    right = np.array([True, False, True, True, False, False, True, False, True, True])
    assert pack(right) == "b2c0"  # 1011 0010, 1100 0000
    back = unpack("b2c0")
    assert back.dtype == bool and back.tolist() == [*right.tolist(), *[False] * 6]
