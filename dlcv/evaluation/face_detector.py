"""The face score: in how many images a face detector finds a face.

The detector is dlib's histogram of oriented gradients, called as `face_recognition.face_locations(image)` calls it by
default. It says whether something is shaped like a face, not whether it is sharp or new, so it
saturates early and stands beside the other scores.
"""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
from tqdm import tqdm

from dlcv.runtime.errors import UserError

UPSAMPLE = 1  # the image is doubled once: the detector looks for faces of 80 pixels


def check_detector() -> None:
    """Refuse to go on without dlib.

    Raises:
        UserError: it is not installed.
    """
    if find_spec("dlib") is None:
        raise UserError("the face score needs dlib; run `pip install dlib-bin`")


def detect(images: np.ndarray, progress: bool = False) -> np.ndarray:
    """Whether each image, uint8 N x H x W x 3, shows a face; bool N.

    Args:
        progress: draw a bar on stderr where that is a terminal.

    Raises:
        UserError: dlib is missing.
    """
    check_detector()
    import dlib

    detector = dlib.get_frontal_face_detector()
    bar = tqdm(images, desc="faces", unit="image", disable=None if progress else True)
    return np.array([len(detector(np.ascontiguousarray(image), UPSAMPLE)) > 0 for image in bar], dtype=bool)
