"""t-SNE maps of features.

openTSNE gives maps of the same quality as scikit-learn (trustworthiness, accuracy of a neighbour vote) in less than
half the time; `benchmarks/tsne.py` measures both.
"""

from __future__ import annotations

import numpy as np
import openTSNE

from dlcv.runtime import compute


def fit(features: np.ndarray, perplexity: float, seed: int) -> np.ndarray:
    """A joint two-dimensional map, float64 N x 2, of features, N x D."""
    threads = compute.settings()["threads"] or -1  # -1: all cores
    tsne = openTSNE.TSNE(perplexity=perplexity, initialization="pca", random_state=seed, n_jobs=threads)
    return np.asarray(tsne.fit(features.astype(np.float64)))
