from __future__ import annotations

import numpy as np
import pytest

from dlcv.evaluation.metrics.proxy_a_distance import proxy_a_distance


def test_proxy_a_distance_of_the_same_and_of_far_domains() -> None:
    rng = np.random.default_rng(0)
    source, same = rng.normal(size=(2, 500, 20))
    assert proxy_a_distance(source, same, seed=0) < 0.2
    assert proxy_a_distance(source, same + 3, seed=0) > 1.9
    with pytest.raises(ValueError, match="unequal numbers"):
        proxy_a_distance(source, same[:10], seed=0)
