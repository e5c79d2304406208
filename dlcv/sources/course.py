"""The `course` source: the course's `hw2_data` folder or zip archive, in either year's layout.

    digits/<domain>/data/*.png  or  digits/<domain>/train/*.png and val/*.png,
    digits/<domain>/train.csv and val.csv with the columns image_name,label,
    face/train/*.png, face/val/*.png, face/train.csv and val.csv with image_name,Male,

all of it at the top or in one folder (`hw2_data/`).
"""

from __future__ import annotations

from dlcv.data.config import Domain, Location
from dlcv.runtime.errors import UserError
from dlcv.sources.raw import RawSet
from dlcv.sources.tables import locate, read_table, refuse_overlap, split_of_files
from dlcv.sources.tree import Tree, open_registered

COMMAND = "dlcv data register PATH"
TITLES = {"mnistm": "MNIST-M", "svhn": "SVHN", "usps": "USPS"}


def digits(domain: Domain, location: Location) -> RawSet:
    """One domain of the course's digits, images as 28 x 28 RGB.

    Raises:
        UserError: not registered, changed, not in this layout, or a bad table or image.
    """
    return _read_set(location, f"digits/{domain}", "label", 28, f"{TITLES[domain]} of the course's archive")


def faces(location: Location) -> RawSet:
    """The course's faces as 64 x 64 RGB, labelled by `Male` (1 or 0).

    Raises:
        UserError: as `digits`.
    """
    return _read_set(location, "face", "Male", 64, "the faces of the course's archive")


def _read_set(location: Location, folder: str, column: str, size: int, played_by: str) -> RawSet:
    tree = open_registered(location, "data.course", COMMAND)
    home = _find(tree, folder)
    names, labels = {}, {}
    for split in ("train", "val"):
        table = read_table(tree, f"{home}/{split}.csv", column, digits=column == "label")
        folders = [f"{home}/{split}", f"{home}/data", home]
        names[split] = locate(tree, f"{home}/{split}.csv", table.images, folders)
        labels[split] = table.labels
    refuse_overlap(tree, names["train"], names["val"])
    crop = column != "label"
    return RawSet(
        train=split_of_files(tree, names["train"], labels["train"], size, crop),
        val=split_of_files(tree, names["val"], labels["val"], size, crop),
        label="digit" if column == "label" else column,
        played_by=played_by,
        # The hash and no path: the same archive elsewhere gives the same card.
        provenance=f"{folder}/ of the course's archive with SHA-256 {location.sha256}",
    )


def _find(tree: Tree, folder: str) -> str:
    """Where `folder`'s two tables are: at the top, or the least deep below it."""
    homes = [name.removesuffix("/train.csv") for name in tree.names if f"/{name}".endswith(f"/{folder}/train.csv")]
    homes = [home for home in homes if f"{home}/val.csv" in tree.names]
    if not homes:
        raise UserError(
            f"{tree.where} has no {folder}/train.csv and {folder}/val.csv, at the top or in hw2_data/; "
            f"register the course's data, `{COMMAND}`"
        )
    return min(homes, key=lambda home: (home.count("/"), home))
