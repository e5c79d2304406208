from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from dlcv.evaluation.metrics.proxy_a_distance import proxy_a_distance


def test_proxy_a_distance_of_the_same_and_of_far_domains() -> None:
    rng = np.random.default_rng(0)
    source, same = rng.normal(size=(2, 500, 20))
    assert proxy_a_distance(source, same, seed=0) < 0.2
    assert proxy_a_distance(source, same + 3, seed=0) > 1.9
    with pytest.raises(ValueError, match="unequal numbers"):
        proxy_a_distance(source, same[:10], seed=0)


def test_a_partial_overlap_written_out() -> None:
    """Folds, standardisation, regularisation and the formula, each of which moves this number."""
    rng = np.random.default_rng(1)
    scales = 10.0 ** np.arange(8)  # without standardisation the largest feature would rule
    source, target = rng.normal(size=(150, 8)) * scales, (rng.normal(size=(150, 8)) + 0.4) * scales
    features, domains = np.concatenate([source, target]), np.repeat([0, 1], 150)
    wrong = 0
    for fit, test in StratifiedKFold(2, shuffle=True, random_state=5).split(features, domains):
        mean, std = features[fit].mean(0), features[fit].std(0)
        model = LogisticRegression(C=0.01).fit((features[fit] - mean) / std, domains[fit])
        wrong += (model.predict((features[test] - mean) / std) != domains[test]).sum()
    assert 50 < wrong < 140
    assert proxy_a_distance(source, target, seed=5) == pytest.approx(2 * (1 - 2 * wrong / 300))
