"""The face detector behind the face score, the share of images in which it finds a face.

It is dlib's detector on histograms of oriented gradients, called as `face_recognition.face_locations(image)` calls it
by default. It responds to the shape of a face and not to its sharpness or novelty, so the score saturates early and
complements the others.
"""

from __future__ import annotations

from importlib import metadata
from importlib.util import find_spec

import numpy as np

from dlcv.runtime.errors import UserError
from dlcv.runtime.progress import over

UPSAMPLE = 1  # times that the image is doubled: the detector is made for faces of 80 pixels
PROTOCOL = f"dlib's frontal HOG detector, upsample {UPSAMPLE}"


def check_detector() -> None:
    """Check that dlib is there.

    Raises:
        UserError: it is not installed.
    """
    if find_spec("dlib") is None:
        raise UserError("the face score needs dlib; run `pip install dlib-bin`")


def detect(images: np.ndarray) -> np.ndarray:
    """Whether each image, uint8 N x H x W x 3, shows a face; bool N.

    Raises:
        UserError: dlib is missing.
    """
    check_detector()
    import dlib

    detector = dlib.get_frontal_face_detector()
    found = [len(detector(np.ascontiguousarray(image), UPSAMPLE)) > 0 for image in over(images, "faces")]
    return np.array(found, dtype=bool)


def package() -> str:
    """The name of the package that dlib was installed from, prebuilt or compiled."""
    try:
        metadata.version("dlib-bin")
    except metadata.PackageNotFoundError:
        return "dlib"
    return "dlib-bin"
