"""The `folder` source: a folder (or zip archive) of images for each data set.

Splits are the folders `train/` and `val/`; without them, the images are split 5:1 with the seed. Labels come
from tables (`train.csv` and `val.csv`, or `labels.csv`, with `image_name` and a label column); without tables,
from class folders `0` to `9`. Digits need labels, faces do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from dlcv.data.config import Domain, Location
from dlcv.data.images import is_image
from dlcv.runtime.errors import UserError
from dlcv.sources.file_tree import FileTree
from dlcv.sources.label_tables import locate, read_table, refuse_overlap
from dlcv.sources.registration import open_registered
from dlcv.sources.splits import SourceSet, SourceSplit, train_val_split

VAL_SHARE = 6  # one of six images is for validation: a 5:1 split
CLASSES = tuple("0123456789")


@dataclass(frozen=True)
class _Listing:
    """The image names of a split (or of the whole folder), their labels and the label column, if there are labels."""

    names: list[str]
    labels: np.ndarray | None
    column: str | None


def digits(domain: Domain, location: Location, rng: np.random.Generator) -> SourceSet:
    """One domain of digits from a registered folder, 28 x 28 RGB; `rng` splits it if it has no split.

    Raises:
        UserError: the folder is not registered, has changed, has no images or no labels, or a table or image is
            invalid.
    """
    return _read_set(domain, location, rng, digits=True)


def faces(location: Location, rng: np.random.Generator) -> SourceSet:
    """The faces from a registered folder, 64 x 64 RGB; `rng` splits it if it has no split.

    Raises:
        UserError: the folder is not registered, has changed or has no images, or a table or image is invalid.
    """
    return _read_set("faces", location, rng, digits=False)


def check(tree: FileTree, name: str) -> None:
    """Print how many images a folder has for a set.

    Raises:
        UserError: digits without labels, or a table that cannot be read.
    """
    train, val = _list_splits(tree, name != "faces", np.random.default_rng(0))
    label = "without labels" if train.labels is None else f"with the label {train.column}"
    print(f"{name}: {len(train.names):,} + {len(val.names):,} images, {label}")


def _read_set(name: str, location: Location, rng: np.random.Generator, digits: bool) -> SourceSet:
    tree = open_registered(location, f"data.folder.{name}", f"dlcv data register PATH --set {name}")
    train, val = _list_splits(tree, digits, rng)
    refuse_overlap(tree, train.names, val.names)
    size, crop = (28, False) if digits else (64, True)
    return SourceSet(
        train=SourceSplit.from_files(tree, train.names, train.labels, size, crop),
        val=SourceSplit.from_files(tree, val.names, val.labels, size, crop),
        label="digit" if digits else train.column,
        played_by=f"a folder of images given for {name}",
        provenance=f"a folder or archive with SHA-256 {location.sha256}",
    )


def _list_splits(tree: FileTree, digits: bool, rng: np.random.Generator) -> tuple[_Listing, _Listing]:
    if "train.csv" in tree.names and "val.csv" in tree.names:
        train, val = (
            _from_table(tree, f"{split}.csv", [split, "data", "images", ""], digits) for split in ("train", "val")
        )
        return train, val
    if _images(tree, "train") and _images(tree, "val"):
        train, val = _from_folder(tree, "train", digits), _from_folder(tree, "val", digits)
        if (train.labels is None) != (val.labels is None) or train.column != val.column:
            raise UserError(f"{tree.where}: train and val have different labels; give both the same kind of table")
        return train, val
    everything = _from_folder(tree, "", digits)
    count = len(everything.names)
    if count < 2:
        raise UserError(f"{tree.where} has a single image; a split into train and val needs at least two")
    first, second = train_val_split(everything.labels, count, max(1, count // VAL_SHARE), rng)
    return _subset(everything, first), _subset(everything, second)


def _from_folder(tree: FileTree, folder: str, digits: bool) -> _Listing:
    """The images of `folder`, with labels from its own `labels.csv`, the one at the top, or class folders."""
    names = _images(tree, folder)
    if not names:
        raise UserError(f"{tree.where} has no images; register a folder with PNG or JPEG files")
    own = f"{folder}/labels.csv" if folder else "labels.csv"
    if own in tree.names:
        return _from_table(tree, own, [folder, "data", "images"], digits)
    if "labels.csv" in tree.names:
        return _from_common_table(tree, folder, digits)
    if not digits:
        return _Listing(names, None, None)
    parents = [PurePosixPath(name).parent.name for name in names]
    for name, parent in zip(names, parents, strict=True):
        if parent not in CLASSES:
            raise UserError(
                f"{tree.where}: no label for {name}; digits need a labels.csv with image_name,label "
                "or class folders 0 to 9"
            )
    return _Listing(names, np.array([int(parent) for parent in parents], dtype=np.int64), "label")


def _from_common_table(tree: FileTree, folder: str, digits: bool) -> _Listing:
    """The lines for `folder` of the `labels.csv` at the top (`train/0.png,7`)."""
    table = read_table(tree, "labels.csv", "label" if digits else None, digits)
    mine = [index for index, image in enumerate(table.images) if image.startswith(f"{folder}/")]
    if not mine:
        raise UserError(f"{tree.where}/labels.csv lists no image of {folder}/; write image_name as {folder}/NAME")
    names = locate(tree, "labels.csv", [table.images[index] for index in mine], [""])
    return _Listing(names, table.labels[mine], table.column)


def _from_table(tree: FileTree, name: str, folders: Sequence[str], digits: bool) -> _Listing:
    table = read_table(tree, name, "label" if digits else None, digits)
    return _Listing(locate(tree, name, table.images, folders), table.labels, table.column)


def _images(tree: FileTree, folder: str) -> list[str]:
    return [name for name in tree.under(folder) if is_image(name)]


def _subset(listing: _Listing, indices: np.ndarray) -> _Listing:
    labels = None if listing.labels is None else listing.labels[indices]
    return _Listing([listing.names[index] for index in indices], labels, listing.column)
