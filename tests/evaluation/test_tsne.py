from __future__ import annotations

import numpy as np
import pytest

from dlcv.evaluation import tsne

pytestmark = pytest.mark.slow  # seconds of networks


def test_tsne_keeps_clusters_apart_and_repeats_itself() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat([0, 1], 40)
    features = (rng.normal(size=(80, 30)) + 8 * groups[:, None]).astype(np.float32)
    embedded = tsne.fit(features, perplexity=10, seed=0)
    assert embedded.shape == (80, 2)
    centres = np.stack([embedded[groups == group].mean(0) for group in (0, 1)])
    nearest = np.linalg.norm(embedded[:, None] - centres, axis=2).argmin(1)
    assert (nearest == groups).all()
    assert np.array_equal(embedded, tsne.fit(features, perplexity=10, seed=0))
