"""t-SNE maps of features.

openTSNE rather than scikit-learn: as true a map (trustworthiness, neighbour vote) in less than half
the time; `benchmarks/tsne.py` measures both.
"""

from __future__ import annotations

import numpy as np
import openTSNE


def fit(features: np.ndarray, perplexity: float, seed: int) -> np.ndarray:
    """A two-dimensional map of features, N x D, all fitted together; N x 2."""
    tsne = openTSNE.TSNE(perplexity=perplexity, initialization="pca", random_state=seed, n_jobs=-1)
    return np.asarray(tsne.fit(features.astype(np.float64)))
