"""The features of real images that generated images are compared with, computed once.

train_features.npy, val_features.npy   float32 N x D
mean.npy, factor.npy                   float64 D and R x D, of the training features (`frechet.Statistics`)
reference.json                         the images and the extractor
dlib_face/                             the same in dlib's features of faces, where the images are faces
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dlcv.data.prepared import load_split, read_card
from dlcv.evaluation.metrics.frechet import Statistics, statistics
from dlcv.runtime.errors import UserError
from dlcv.runtime.files import read_json, write_json

if TYPE_CHECKING:  # torch takes seconds to import, and a wrong folder is refused before
    from dlcv.evaluation.extractors.dlib_face import DlibFace
    from dlcv.evaluation.extractors.extractor import Extractor

FACES = "dlib_face"
# The cure for a reference that cannot be read.
AGAIN = "make it again with `dvc repro stages/evaluation/dvc.yaml`, or --save-reference where it came from that"


@dataclass(frozen=True)
class Reference:
    """The features of real images by one extractor.

    Attributes:
        about: name, source and extractor; split, count and SHA-256 of the training and of the validation images.
        training: features, float32 N x D.
        statistics: of all training features.
        validation: features, float32 V x D; None where there are no validation images.
        faces: the reference in dlib's features; None where there are no faces, or no such scores.
    """

    about: dict[str, Any]
    training: np.ndarray
    statistics: Statistics
    validation: np.ndarray | None
    faces: Reference | None = None


def of_prepared(
    folder: Path, extractor: Extractor | DlibFace, training: int | None = None, validation: int | None = None
) -> Reference:
    """The reference of a prepared set such as `data/faces`.

    Args:
        training, validation: number of images of each split, the first; None for all.

    Raises:
        UserError: the set is not prepared.
    """
    card = read_card(folder)
    train = extractor(load_split(folder, "train").images[:training])
    val = extractor(load_split(folder, "val").images[:validation])
    about = {
        "name": card["name"],
        "source": card["source"],
        "sha256": card["sha256"],
        "extractor": extractor.protocol(),
        "training": {"split": "train", "count": len(train), "sha256": card["splits"]["train"]["sha256"]},
        "validation": {"split": "val", "count": len(val), "sha256": card["splits"]["val"]["sha256"]},
    }
    return Reference(about, train, statistics(train), val)


def of_images(
    name: str,
    training: np.ndarray,
    validation: np.ndarray | None,
    extractor: Extractor | DlibFace,
) -> Reference:
    """The reference of any images, uint8 N x H x W x 3.

    Args:
        name: of the reference, for its protocol and messages.
    """
    about = {"name": name, "extractor": extractor.protocol(), "training": describe(training)}
    features = extractor(training)
    if validation is None:
        return Reference(about, features, statistics(features), None)
    about["validation"] = describe(validation)
    return Reference(about, features, statistics(features), extractor(validation))


def describe(images: np.ndarray) -> dict[str, Any]:
    """Count, size and SHA-256 of images, uint8 N x H x W x 3."""
    count, height, width, _ = images.shape
    digest = hashlib.sha256(np.ascontiguousarray(images).data).hexdigest()
    return {"count": count, "size": f"{width} x {height}", "sha256": digest}


def save_reference(folder: Path, reference: Reference) -> None:
    """Write a reference with validation images into the new folder `folder`."""
    assert reference.validation is not None
    folder.mkdir(parents=True)
    arrays = {
        "train_features": reference.training,
        "val_features": reference.validation,
        "mean": reference.statistics.mean,
        "factor": reference.statistics.factor,
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    write_json(folder / "reference.json", reference.about)
    if reference.faces is not None:
        save_reference(folder / FACES, reference.faces)


def load_reference(folder: Path) -> Reference:
    """The reference that `save_reference` wrote, with memory-mapped features.

    Raises:
        UserError: it is missing or damaged.
    """
    try:
        about: dict[str, Any] = read_json(folder / "reference.json")
        train, val = (np.load(folder / f"{name}_features.npy", mmap_mode="r") for name in ("train", "val"))
        mean, factor = (np.load(folder / f"{name}.npy") for name in ("mean", "factor"))
    except FileNotFoundError as error:
        raise UserError(f"{error.filename} is missing; {AGAIN}") from None
    except (ValueError, EOFError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"the reference in {folder} is damaged ({reason}); {AGAIN}") from None
    faces = load_reference(folder / FACES) if (folder / FACES).is_dir() else None
    return Reference(about, train, Statistics(mean, factor, len(train)), val, faces)
