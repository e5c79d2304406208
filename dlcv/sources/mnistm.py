"""The MNIST-M recipe: |photograph - digit| in each channel (Ganin & Lempitsky 2015, section 5).

"We blend digits from the original set over patches randomly extracted from color photos from BSDS500
[...]: for two images I1, I2, I_out = |I1 - I2| [...] of the corresponding pixels and channels."
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

SIZE = 28
# The strokes of the published MNIST-M have hard edges: the digits were thresholded first. A threshold at a quarter
# of the range gives the stroke width of the published images; half of the range gives thinner strokes, 0 thicker ones.
INK_THRESHOLD = 63


def blend(digits: np.ndarray, photographs: Sequence[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Blend digits with random crops of photographs.

    Args:
        digits: `uint8` N x 28 x 28, bright on dark.
        photographs: each `uint8` H x W x 3 with H and W of at least 28.
        rng: chooses the photograph and the crop for each digit.

    Returns:
        `uint8` N x 28 x 28 x 3.
    """
    backgrounds = np.stack(
        [_crop(photographs[index], rng) for index in rng.integers(len(photographs), size=len(digits))]
    )
    strokes = np.where(digits > INK_THRESHOLD, 255, 0).astype(np.int16)[..., None]
    blended: np.ndarray = np.abs(backgrounds.astype(np.int16) - strokes).astype(np.uint8)
    return blended


def _crop(photograph: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    top = rng.integers(photograph.shape[0] - SIZE + 1)
    left = rng.integers(photograph.shape[1] - SIZE + 1)
    return photograph[top : top + SIZE, left : left + SIZE]
