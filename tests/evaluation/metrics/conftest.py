"""Features of generated and real images."""

from __future__ import annotations

import numpy as np


def two_sets(count: int = 200, dimension: int = 24) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    generated, real = rng.normal(size=(2, count, dimension)).astype(np.float32)
    return generated * 0.8 + 0.2, real
