"""A figure of the scores."""

from __future__ import annotations

import numpy as np
from PIL import Image

from dlcv import pictures
from dlcv.evaluation import neighbours
from dlcv.evaluation.features import Extractor
from dlcv.evaluation.reference import Reference


def beside_nearest(images: np.ndarray, extractor: Extractor, reference: Reference, training: np.ndarray) -> Image.Image:
    """Generated pictures over their nearest training pictures in the extractor's features.

    Args:
        images, training: uint8 N x H x W x 3; `training` are those that `reference` was computed from.
    """
    index, _ = neighbours.nearest(extractor(images), reference.training)
    return pictures.labelled_rows([images, np.array(training[index])], ["generated", "nearest in training"], scale=2)
