"""How far two domains lie apart in a space of features."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def proxy_a_distance(source: np.ndarray, target: np.ndarray, seed: int) -> float:
    """Proxy A-distance 2(1 - 2 err) of Ben-David et al. 2007, as in Ganin et al. 2016, section 5.1.5.

    `err` is the error of a linear classifier of the domain on features that it was not fitted to
    (two folds, so that every image is judged once). 0: not to be told apart; 2: apart without error.

    Args:
        source, target: features, N x D each, in equal numbers so that chance is an error of 1/2.
        seed: of the folds.

    Returns:
        The distance, in [0, 2]; an error above chance counts as chance.
    """
    if len(source) != len(target):
        raise ValueError(f"unequal numbers: {len(source)} and {len(target)}")
    features = np.concatenate([source, target])
    domains = np.repeat([0, 1], [len(source), len(target)])
    # A strong penalty: with 800 features a weak one fits a few hundred images without generalising.
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
    folds = StratifiedKFold(2, shuffle=True, random_state=seed)
    answers = cross_val_predict(classifier, features, domains, cv=folds)
    error = float((answers != domains).mean())
    return max(0.0, 2 * (1 - 2 * error))
