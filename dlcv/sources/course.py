"""The `course` source: the course's `hw2_data` folder or zip archive, in the layout of either year.

    digits/<domain>/data/*.png  or  digits/<domain>/train/*.png and val/*.png,
    digits/<domain>/train.csv and val.csv with the columns image_name,label,
    face/train/*.png, face/val/*.png, face/train.csv and val.csv with image_name,Male,

all of it at the top or in one folder (`hw2_data/`).
"""

from __future__ import annotations

from dlcv.data.config import Domain, Location
from dlcv.runtime.errors import UserError
from dlcv.sources.file_tree import FileTree
from dlcv.sources.label_tables import locate, read_table, refuse_overlap
from dlcv.sources.registration import open_registered
from dlcv.sources.splits import SourceSet, SourceSplit

COMMAND = "dlcv data register PATH"
TITLES = {"mnistm": "MNIST-M", "svhn": "SVHN", "usps": "USPS"}


def digits(domain: Domain, location: Location) -> SourceSet:
    """One domain of the course's digits, 28 x 28 RGB.

    Raises:
        UserError: the data are not registered, have changed, have another layout, or a table or image is invalid.
    """
    return _read_set(location, f"digits/{domain}", "label", 28, f"{TITLES[domain]} of the course's archive")


def faces(location: Location) -> SourceSet:
    """The course's faces, 64 x 64 RGB, with the label `Male` (1 or 0).

    Raises:
        UserError: as `digits`.
    """
    return _read_set(location, "face", "Male", 64, "the faces of the course's archive")


def _read_set(location: Location, folder: str, column: str, size: int, played_by: str) -> SourceSet:
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
    return SourceSet(
        train=SourceSplit.from_files(tree, names["train"], labels["train"], size, crop),
        val=SourceSplit.from_files(tree, names["val"], labels["val"], size, crop),
        label="digit" if column == "label" else column,
        played_by=played_by,
        # The hash instead of the path, so that the card does not depend on where the archive is.
        provenance=f"{folder}/ of the course's archive with SHA-256 {location.sha256}",
    )


def _find(tree: FileTree, folder: str) -> str:
    """The path that ends with `folder` and has both tables; the shallowest if there are several."""
    homes = [name.removesuffix("/train.csv") for name in tree.names if f"/{name}".endswith(f"/{folder}/train.csv")]
    homes = [home for home in homes if f"{home}/val.csv" in tree.names]
    if not homes:
        raise UserError(
            f"{tree.where} has no {folder}/train.csv and {folder}/val.csv, at the top or in hw2_data/; "
            f"register the course's data with `{COMMAND}`"
        )
    return min(homes, key=lambda home: (home.count("/"), home))
