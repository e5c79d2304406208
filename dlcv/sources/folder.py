"""The `folder` source: any folder (or zip archive) of images for each set.

With `train/` and `val/` or without (then a seeded 5:1 split); labels from tables (`train.csv` and
`val.csv`, or one `labels.csv`, with `image_name` and a label column), else from class folders `0` to
`9`. Digits need labels, faces do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

import numpy as np

from dlcv.data.config import Location
from dlcv.data.images import is_image
from dlcv.runtime.errors import UserError
from dlcv.sources.raw import RawSet, divide
from dlcv.sources.tables import locate, read_table, refuse_overlap, split_of_files
from dlcv.sources.tree import Tree, open_registered

VAL_SHARE = 6  # one image of six validates: a 5:1 split
CLASSES = tuple("0123456789")


@dataclass(frozen=True)
class _Listing:
    """Images of one split (or of all), with labels where there are any."""

    names: list[str]
    labels: np.ndarray | None
    column: str | None


def read(name: Literal["mnistm", "svhn", "usps", "faces"], location: Location, rng: np.random.Generator) -> RawSet:
    """One set from the folder that params.yaml records for it; `rng` splits it where it has no split.

    Raises:
        UserError: not registered, changed, no images, digits without labels, or a bad table or image.
    """
    command = f"dlcv data register PATH --set {name}"
    tree = open_registered(location, f"data.folder.{name}", command)
    digits = name != "faces"
    train, val = _list_splits(tree, digits, rng)
    refuse_overlap(tree, train.names, val.names)
    size, crop = (28, False) if digits else (64, True)
    return RawSet(
        train=split_of_files(tree, train.names, train.labels, size, crop),
        val=split_of_files(tree, val.names, val.labels, size, crop),
        label="digit" if digits else train.column,
        played_by=f"a folder of images given for {name}",
        provenance=f"a folder or archive with SHA-256 {location.sha256}",
    )


def _list_splits(tree: Tree, digits: bool, rng: np.random.Generator) -> tuple[_Listing, _Listing]:
    if "train.csv" in tree.names and "val.csv" in tree.names:
        train, val = (
            _tabled(tree, f"{split}.csv", [split, "data", "images", ""], digits) for split in ("train", "val")
        )
        return train, val
    if _images(tree, "train") and _images(tree, "val"):
        train, val = _listed(tree, "train", digits), _listed(tree, "val", digits)
        if (train.labels is None) != (val.labels is None) or train.column != val.column:
            raise UserError(f"{tree.where}: train and val carry different labels; give both the same kind of table")
        return train, val
    everything = _listed(tree, "", digits)
    count = len(everything.names)
    if count < 2:
        raise UserError(f"{tree.where} has a single image; a split into train and val needs two or more")
    first, second = divide(everything.labels, count, max(1, count // VAL_SHARE), rng)
    return _subset(everything, first), _subset(everything, second)


def _listed(tree: Tree, folder: str, digits: bool) -> _Listing:
    """The images of `folder`, labelled by the nearest `labels.csv`, else by class folders."""
    names = _images(tree, folder)
    if not names:
        raise UserError(f"{tree.where} holds no images; register a folder with PNG or JPEG files")
    own = f"{folder}/labels.csv" if folder else "labels.csv"
    if own in tree.names:
        return _tabled(tree, own, [folder, "data", "images"], digits)
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


def _from_common_table(tree: Tree, folder: str, digits: bool) -> _Listing:
    """The lines of one top-level labels.csv (`train/0.png,7`) that belong to `folder`."""
    table = read_table(tree, "labels.csv", "label" if digits else None, digits)
    mine = [index for index, image in enumerate(table.images) if image.startswith(f"{folder}/")]
    if not mine:
        raise UserError(f"{tree.where}/labels.csv lists no image of {folder}/; write image_name as {folder}/NAME")
    names = locate(tree, "labels.csv", [table.images[index] for index in mine], [""])
    return _Listing(names, table.labels[mine], table.column)


def _tabled(tree: Tree, name: str, folders: Sequence[str], digits: bool) -> _Listing:
    table = read_table(tree, name, "label" if digits else None, digits)
    return _Listing(locate(tree, name, table.images, folders), table.labels, table.column)


def _images(tree: Tree, folder: str) -> list[str]:
    return [name for name in tree.under(folder) if is_image(name)]


def _subset(listing: _Listing, indices: np.ndarray) -> _Listing:
    labels = None if listing.labels is None else listing.labels[indices]
    return _Listing([listing.names[index] for index in indices], labels, listing.column)
