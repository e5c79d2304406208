"""Read the prepared form of a data set, a folder that `dlcv/sources/write_prepared.py` writes.

    train_images.npy, val_images.npy   uint8 N x H x W x 3 in [0, 255]
    train_labels.npy, val_labels.npy   int64 N; absent if the source has no labels
    card.json                          source, counts, classes, mean and standard deviation, SHA-256
    mean.png, contact.png              the mean training image; a sheet of training images

The images of a split are in random order, so the first n are a fair sample.

Every training depends on this module. The writer is a module of its own, so that a change to contact
sheets does not make trainings out of date.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dlcv.runtime.errors import UserError
from dlcv.runtime.files import read_json

SplitName = Literal["train", "val"]


@dataclass(frozen=True)
class Split:
    """A prepared split.

    Attributes:
        images: `uint8` N x H x W x 3 in [0, 255], memory-mapped and read-only.
        labels: `int64` N, or None if the data set has no labels.
    """

    images: np.ndarray
    labels: np.ndarray | None


def load_split(folder: Path, split: SplitName) -> Split:
    """Open one split of a prepared folder such as `data/digits/usps`. Images are read when they are indexed.

    Raises:
        UserError: the folder is missing, incomplete or damaged; the message has the stage to run.
    """
    folder = Path(folder)
    card = read_card(folder)
    images = _open_array(folder, f"{split}_images.npy", mapped=True)
    labels = None if card["label"] is None else _open_array(folder, f"{split}_labels.npy", mapped=False)
    expected = (card["splits"][split]["count"], card["size"], card["size"], 3)
    if images.shape != expected or images.dtype != np.uint8:
        raise _damaged(
            folder, f"{split}_images.npy is {images.dtype} {images.shape}, but its card has uint8 {expected}"
        )
    if labels is not None and labels.shape != expected[:1]:
        raise _damaged(folder, f"{split}_labels.npy has {len(labels)} labels for {expected[0]} images")
    if labels is not None and card["label"] == "digit" and not (labels.min() >= 0 and labels.max() <= 9):
        raise _damaged(folder, f"{split}_labels.npy has labels from {labels.min()} to {labels.max()}, no digits")
    return Split(images, labels)


def read_card(folder: Path, size: int | None = None) -> dict[str, Any]:
    """The card of a prepared folder.

    Keys: name, source, played_by, provenance, label, size, splits (for train and val: count, classes,
    mean and std of each channel in [0, 1], sha256), sha256.

    Args:
        size: the required image size in pixels; None accepts any size.

    Raises:
        UserError: as `load_split`, or the images have another size.
    """
    folder = Path(folder)
    if not (folder / "card.json").is_file():
        raise UserError(f"there is no prepared data in {folder}; run `dvc repro {_stage(folder)}` or `dvc pull`")
    try:
        card: dict[str, Any] = read_json(folder / "card.json")
        card["splits"]["train"]["count"], card["splits"]["val"]["count"], card["label"], card["size"]
        card["sha256"], card["source"], card["played_by"]
    except (ValueError, KeyError, TypeError):
        raise _damaged(folder, "card.json is not a valid card") from None
    if size is not None and card["size"] != size:
        raise UserError(f"{folder} has images of {card['size']} pixels; the networks are for {size}")
    return card


def _open_array(folder: Path, name: str, mapped: bool) -> np.ndarray:
    try:
        array: np.ndarray = np.load(folder / name, mmap_mode="r" if mapped else None, allow_pickle=False)
    except FileNotFoundError:
        raise _damaged(folder, f"{name} is missing") from None
    except (ValueError, EOFError) as error:
        raise _damaged(folder, f"{name} is not a complete array: {' '.join(str(error).split())}") from None
    return array


def _damaged(folder: Path, what: str) -> UserError:
    return UserError(f"the prepared data in {folder} is damaged ({what}); run `dvc repro -f {_stage(folder)}`")


def _stage(folder: Path) -> str:
    """The stage that writes a prepared folder: data/digits/usps -> stages/data/dvc.yaml:digits@usps."""
    stage = "faces" if folder.name == "faces" else f"digits@{folder.name}"
    return f"stages/data/dvc.yaml:{stage}"
