"""The `course` source: the course's folder or zip archive of any year, at the top or in a folder (`hw2_data/`).

What is there tells the layouts apart:

    digits/DOMAIN/  train.csv and val.csv (or test.csv) with image_name,label; the images in data/, or in train/ and
                    val/ (or test/), or beside the tables
    face/           train/ and val/ (or test/), with tables like these and the column Male, or without any

An archive of the year whose faces are those of the DDIM task has face/GT, face/noise and face/UNet.pt and no faces to
train on; they can come from another source (`data.faces.source`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from dlcv.data.config import DOMAINS, Domain, Location
from dlcv.data.images import is_image
from dlcv.runtime.errors import UserError
from dlcv.sources.file_tree import FileTree
from dlcv.sources.label_tables import columns, locate, read_table, refuse_overlap
from dlcv.sources.registration import open_registered
from dlcv.sources.splits import SourceSet, SourceSplit

COMMAND = "dlcv data register PATH"
TITLES = {"mnistm": "MNIST-M", "svhn": "SVHN", "usps": "USPS"}
SPLITS = (("train", "val"), ("train", "test"))  # what a year calls training and validation
FACES = "face"
DDIM = ("GT", "noise", "UNet.pt")  # in `face/`, of the DDIM task
LAYOUTS = (
    "digits/DOMAIN/ with train.csv and val.csv (or test.csv), and face/ with train/ and val/ (or test/), "
    "at the top or in hw2_data/"
)


@dataclass(frozen=True)
class Home:
    """Where a data set is.

    Attributes:
        folder: its path in the tree.
        splits: the names of its training and validation split there.
        tables: whether they have tables.
    """

    folder: str
    splits: tuple[str, str]
    tables: bool


def digits(domain: Domain, location: Location) -> SourceSet:
    """One domain of the course's digits, 28 x 28 RGB.

    Raises:
        UserError: the data are not registered, have changed or lack the domain, or a table or image is invalid.
    """
    tree = open_registered(location, "data.course", COMMAND)
    folder = f"digits/{domain}"
    home = next((home for home in homes(tree, folder) if home.tables), None)
    if home is None:
        raise UserError(
            f"{tree.where} has no {folder}/ with train.csv and val.csv or test.csv, at the top or in hw2_data/; "
            f"register data that have it with `{COMMAND}`, or set data.digits.source to another source"
        )
    source = _from_tables(tree, home, "label", 28)
    return SourceSet(*source, "digit", f"{TITLES[domain]} of the course's archive", _provenance(folder, location))


def faces(location: Location) -> SourceSet:
    """The course's faces, 64 x 64 RGB, with the label `Male` (1 or 0) if there are tables with it.

    Raises:
        UserError: as `digits`.
    """
    tree = open_registered(location, "data.course", COMMAND)
    home = next(homes(tree, FACES), None)
    if home is None:
        there = [name for name in DDIM if _of_ddim(tree, name)]
        what = f"only {', '.join(there)} of the DDIM task" if there else "nothing of the kind"
        raise UserError(
            f"{tree.where} has no faces to train on ({FACES}/train/ and {FACES}/val/ or test/; there is {what}); take "
            "them from another source: `dlcv data register PATH --set faces`, and data.faces.source: folder"
        )
    labelled = home.tables and all("Male" in columns(tree, f"{home.folder}/{split}.csv") for split in home.splits)
    train, val = _from_tables(tree, home, "Male", 64) if labelled else _from_folders(tree, home, 64)
    missing = "" if labelled else "; it has no table with the attribute Male"
    played_by = "the faces of the course's archive"
    return SourceSet(train, val, "Male" if labelled else None, played_by, _provenance(FACES, location) + missing)


def ddim_task(location: Location) -> Iterator[tuple[str, bytes]]:
    """Name and content of the files of the DDIM task: `UNet.pt`, `noise/00.pt` and so on, `GT/00.png` and so on.

    Raises:
        UserError: as `digits`.
    """
    tree = open_registered(location, "data.course", COMMAND)
    suffix = f"/{FACES}/{DDIM[-1]}"
    places = sorted((name.removesuffix(DDIM[-1]) for name in tree.names if f"/{name}".endswith(suffix)), key=len)
    for place in places:
        parts = [[place + DDIM[-1]], *(tree.under(place + folder) for folder in DDIM[:-1])]
        if all(parts):
            break
    else:
        raise UserError(
            f"{tree.where} has no {FACES}/ with {', '.join(DDIM)}, the DDIM task; register an archive that has it with "
            f"`{COMMAND}`, or set data.ddim: []"
        )
    for name in chain(*parts):
        yield name.removeprefix(place), tree.read(name)


def describe(tree: FileTree) -> dict[str, str]:
    """What an archive of the course has, in words, by set; empty for an archive of another kind."""
    found: dict[str, str] = {}
    for domain in DOMAINS:
        home = next((home for home in homes(tree, f"digits/{domain}") if home.tables), None)
        if home is not None:
            found[domain] = f"{home.folder}/, {' and '.join(home.splits)}"
    home = next(homes(tree, FACES), None)
    if home is not None:
        label = "" if home.tables else ", without attributes"
        found["faces"] = f"{home.folder}/, {' and '.join(home.splits)}{label}"
    elif there := [name for name in DDIM if _of_ddim(tree, name)]:
        found["faces"] = f"none to train on, only {', '.join(there)} of the DDIM task: give a folder with --set faces"
    return found


def check(tree: FileTree) -> None:
    """Print what an archive of the course has.

    Raises:
        UserError: it is no archive of the course.
    """
    found = describe(tree)
    if not found:
        raise UserError(f"{tree.where} is no archive of the course, which has {LAYOUTS}; other folders need --set NAME")
    for name in (*DOMAINS, "faces"):
        print(f"{name}: {found.get(name, 'not in this archive')}")


def homes(tree: FileTree, folder: str) -> Iterator[Home]:
    """The places of a set: those with tables first, the shallowest first among these."""
    names = set(tree.names)
    above = {"/".join(parts[:depth]) for name in names for parts in [name.split("/")] for depth in range(1, len(parts))}
    places = sorted(
        (place for place in above if f"/{place}".endswith(f"/{folder}")), key=lambda place: (place.count("/"), place)
    )
    for place in places:
        for splits in SPLITS:
            if all(f"{place}/{split}.csv" in names for split in splits):
                yield Home(place, splits, tables=True)
    for place in places:
        for splits in SPLITS:
            if all(_images(tree, f"{place}/{split}") for split in splits):
                yield Home(place, splits, tables=False)


def _from_tables(tree: FileTree, home: Home, column: str, size: int) -> tuple[SourceSplit, SourceSplit]:
    names, labels = [], []
    for split in home.splits:
        table = read_table(tree, f"{home.folder}/{split}.csv", column, digits=column == "label")
        folders = [f"{home.folder}/{split}", f"{home.folder}/data", home.folder]
        names.append(locate(tree, f"{home.folder}/{split}.csv", table.images, folders))
        labels.append(table.labels)
    refuse_overlap(tree, *names)
    crop = column != "label"
    train, val = (SourceSplit.from_files(tree, *each, size, crop) for each in zip(names, labels, strict=True))
    return train, val


def _from_folders(tree: FileTree, home: Home, size: int) -> tuple[SourceSplit, SourceSplit]:
    train, val = (
        SourceSplit.from_files(tree, _images(tree, f"{home.folder}/{split}"), None, size, crop=True)
        for split in home.splits
    )
    return train, val


def _images(tree: FileTree, folder: str) -> list[str]:
    return [name for name in tree.under(folder) if is_image(name)]


def _of_ddim(tree: FileTree, name: str) -> bool:
    return any(f"/{FACES}/{name}" in f"/{path}" for path in tree.names)


def _provenance(folder: str, location: Location) -> str:
    # The hash instead of the path, so that the card does not depend on where the archive is.
    return f"{folder}/ of the course's archive with SHA-256 {location.sha256}"
