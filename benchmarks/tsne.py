"""t-SNE by scikit-learn and by openTSNE on the same features: time and quality of the map.

    python benchmarks/tsne.py [IMAGES]

The features are UCI digits, projected to 800 dimensions with noise. One half of them is shifted, like a second domain.
Trustworthiness (1 is best) measures whether neighbours in the map are neighbours in the features. The accuracy of
10 nearest neighbours in the map measures whether classes stay together.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import openTSNE
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE, trustworthiness
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier


def main(count: int = 1000) -> None:
    rng = np.random.default_rng(0)
    images, labels = load_digits(return_X_y=True)
    chosen = rng.permutation(len(images))[:count]
    images, labels = images[chosen] / 16, labels[chosen]
    features = np.maximum(images @ rng.normal(size=(64, 800)) + 0.3 * rng.normal(size=(count, 800)), 0)
    features[count // 2 :] += 0.5 * rng.normal(size=800)
    features = features.astype(np.float32)
    reduced = PCA(50, random_state=0).fit_transform(features)

    def sklearn_map(points: np.ndarray) -> np.ndarray:
        return np.asarray(TSNE(init="pca", perplexity=30, random_state=0).fit_transform(points))

    def open_map(points: np.ndarray) -> np.ndarray:
        return np.asarray(openTSNE.TSNE(initialization="pca", perplexity=30, random_state=0, n_jobs=-1).fit(points))

    print(f"{count} images")
    baseline = 0.0
    for name, function in {"scikit-learn": sklearn_map, "openTSNE": open_map}.items():
        for kind, points in {"800 features": features, "50 components": reduced}.items():
            start = time.perf_counter()
            embedded = function(points)
            seconds = time.perf_counter() - start
            baseline = baseline or seconds
            trust = trustworthiness(features, embedded, n_neighbors=12)
            vote = cross_val_score(KNeighborsClassifier(10), embedded, labels, cv=5).mean()
            same = np.array_equal(embedded, function(points))
            print(
                f"{name:13} {kind:14} time ratio {seconds / baseline:5.2f}  trustworthiness {trust:.4f}  "
                f"nearest neighbours {vote:.3f}  repeatable {same}"
            )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
