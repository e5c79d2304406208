"""A linear probe: what it reads, what it cannot, and where there is nothing to read."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from dlcv.evaluation.metrics.intervals import wilson
from dlcv.evaluation.metrics.linear_probe import linear_probe, linear_probe_on


def two_classes(count: int, distance: float, seed: int = 0, share: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = (rng.random(count) < share).astype(np.int64)
    return rng.normal(size=(count, 20)) + distance * labels[:, None] * np.eye(20)[0], labels


def test_what_lies_apart_is_read_and_what_does_not_is_chance() -> None:
    apart = linear_probe(*two_classes(200, 6.0), seed=0)
    assert apart is not None and apart["accuracy"] > 0.95
    assert (apart["classes"], apart["images"], apart["folds"]) == (2, 200, 5)
    # As many dimensions as images: a probe that were judged by what it was fitted to would read anything.
    features = np.random.default_rng(0).normal(size=(200, 200))
    labels = np.arange(200) % 2
    nothing = linear_probe(features, labels, seed=0)
    assert nothing is not None and 0.35 < nothing["accuracy"] < 0.65
    low, high = wilson(round(200 * nothing["accuracy"]), 200)
    assert nothing["interval"] == {"low": low, "high": high} and nothing["chance"] == 0.5


def test_chance_is_the_most_frequent_class() -> None:
    features, labels = two_classes(400, 0.0, share=0.8)
    probe = linear_probe(features, labels, seed=0)
    assert probe is not None and probe["chance"] == max(labels.mean(), 1 - labels.mean()) > 0.7


def test_classes_too_small_for_the_folds_are_left_out() -> None:
    features, labels = two_classes(100, 6.0)
    labels[:4] = 7
    probe = linear_probe(features, labels, seed=0)
    assert probe is not None and (probe["classes"], probe["images"]) == (2, 96)
    labels[4] = 7  # one image for each fold
    probe = linear_probe(features, labels, seed=0)
    assert probe is not None and (probe["classes"], probe["images"]) == (3, 100)
    five = np.arange(10) % 2
    assert linear_probe(features[:10], five, seed=0) is not None
    assert linear_probe(features, np.arange(100), seed=0) is None
    assert linear_probe(features, np.zeros(100, dtype=np.int64), seed=0) is None


def test_the_same_seed_gives_the_same() -> None:
    features, labels = two_classes(100, 1.0)
    assert linear_probe(features, labels, seed=1) == linear_probe(features, labels, seed=1)


def test_a_probe_written_out() -> None:
    """Folds and regularisation, each of which moves this number."""
    features, labels = two_classes(150, 1.0)
    right = 0
    for fit, test in StratifiedKFold(5, shuffle=True, random_state=3).split(features, labels):
        model = LogisticRegression(C=0.1).fit(features[fit], labels[fit])
        right += (model.predict(features[test]) == labels[test]).sum()
    probe = linear_probe(features, labels, seed=3)
    assert probe is not None and 75 < right < 135 and probe["accuracy"] == right / 150


def test_other_images_are_judged_by_what_was_fitted_to_the_first() -> None:
    first, others = two_classes(200, 6.0), two_classes(60, 6.0, seed=1)
    probe = linear_probe_on(*first, *others)
    assert probe is not None and probe["accuracy"] > 0.95 and probe["images"] == 60
    assert probe["chance"] == max(others[1].mean(), 1 - others[1].mean()) and probe["classes"] == 2
    swapped = linear_probe_on(*first, others[0], 1 - others[1])
    assert swapped is not None and swapped["accuracy"] == pytest.approx(1 - probe["accuracy"])
    # Persons that the first have not seen cannot be named.
    assert linear_probe_on(*first, others[0], others[1] + 1) is None
    assert linear_probe_on(first[0], np.zeros(200), others[0], np.zeros(60)) is None
