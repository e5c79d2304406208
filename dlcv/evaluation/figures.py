"""Figures that show what the scores measure."""

from __future__ import annotations

import numpy as np
from PIL import Image

from dlcv.evaluation.extractors.extractor import Extractor
from dlcv.evaluation.metrics import neighbours
from dlcv.evaluation.reference import Reference
from dlcv.figures import grids


def beside_nearest(images: np.ndarray, extractor: Extractor, reference: Reference, training: np.ndarray) -> Image.Image:
    """Generated images above their nearest training images in the extractor's features.

    Args:
        images, training: uint8 N x H x W x 3; `training` are the images of `reference.training`.
    """
    index, _ = neighbours.nearest(extractor(images), reference.training)
    return grids.labelled_rows([images, np.array(training[index])], ["generated", "nearest in training"], scale=2)
