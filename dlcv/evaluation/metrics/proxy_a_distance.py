"""The distance between two domains in a feature space."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def proxy_a_distance(source: np.ndarray, target: np.ndarray, seed: int) -> float:
    """Proxy A-distance 2(1 - 2 err) of Ben-David et al. 2007, as in Ganin et al. 2016, section 5.1.5.

    `err` is the error of a linear domain classifier on features that it was not fitted to, by two-fold
    cross-validation.

    Args:
        source, target: features, N x D each; in equal numbers, so that the error of chance is 1/2.
        seed: of the folds.

    Returns:
        The distance: from 0 where the domains cannot be told apart to 2 where they are separated without error. An
        error above chance counts as chance.
    """
    if len(source) != len(target):
        raise ValueError(f"unequal numbers: {len(source)} and {len(target)}")
    features = np.concatenate([source, target])
    domains = np.repeat([0, 1], [len(source), len(target)])
    # Strong regularisation: with 800 features, a weaker one overfits a few hundred images.
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
    folds = StratifiedKFold(2, shuffle=True, random_state=seed)
    predictions = cross_val_predict(classifier, features, domains, cv=folds)
    error = float((predictions != domains).mean())
    return max(0.0, 2 * (1 - 2 * error))
