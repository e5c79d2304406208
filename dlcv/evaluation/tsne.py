"""t-SNE maps of features.

openTSNE gives maps of the same quality as scikit-learn (trustworthiness, accuracy of a neighbour vote) in less than
half the time; `benchmarks/tsne.py` measures both.
"""

from __future__ import annotations

import numpy as np
import openTSNE

from dlcv.runtime import compute
from dlcv.runtime.progress import bar

ITERATIONS = 250, 500  # with and without early exaggeration, openTSNE's own
BETWEEN = 50  # iterations between two steps of the bar


def fit(features: np.ndarray, perplexity: float, seed: int) -> np.ndarray:
    """A joint two-dimensional map, float64 N x 2, of features, N x D."""
    threads = compute.settings()["threads"] or -1  # -1: all cores
    with bar("t-SNE", sum(ITERATIONS), "step") as done:
        tsne = openTSNE.TSNE(
            perplexity=perplexity,
            initialization="pca",
            early_exaggeration_iter=ITERATIONS[0],
            n_iter=ITERATIONS[1],
            random_state=seed,
            n_jobs=threads,
            callbacks=lambda *_: done.update(BETWEEN) and None,  # true would stop it
            callbacks_every_iters=BETWEEN,
        )
        return np.asarray(tsne.fit(features.astype(np.float64)))
