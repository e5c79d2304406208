"""The `public` source of faces: CelebA, or LFW (funneled)."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

from dlcv.data.config import Public
from dlcv.data.images import decode, fit
from dlcv.runtime import files
from dlcv.runtime.errors import UserError
from dlcv.sources.download import Remote, fetch
from dlcv.sources.raw import RawSet, RawSplit
from dlcv.sources.tables import split_of_files
from dlcv.sources.tree import open_tree

SIZE = 64
VAL_SHARE = 6  # of LFW one person of six validates
# LFW's faces fill the middle of 250 x 250 pixels; the same crop as the course's faces.
LFW_BOX = slice(50, 200)


def _drive(name: str, identifier: str, sha256: str) -> Remote:
    # The host that serves files too large for Google's virus scan without a confirmation page.
    url = f"https://drive.usercontent.google.com/download?id={identifier}&export=download&confirm=t"
    return Remote(f"celeba/{name}", (url,), f"sha256:{sha256}")


# File identifiers of torchvision 0.29, SHA-256 of TensorFlow Datasets for the same identifiers.
CELEBA = {
    "images": _drive(
        "img_align_celeba.zip",
        "0B7EVK8r0v71pZjFTYXZWM3FlRnM",
        "46fb89443c578308acf364d7d379fe1b9efb793042c0af734b6112e4fd3a8c74",
    ),
    "partition": _drive(
        "list_eval_partition.txt",
        "0B7EVK8r0v71pY0NSMzRuSXJEVkk",
        "fc955bcb3ef8fbdf7d5640d9a8693a8431b5f2ee291a5c1449a1549e7e073fe7",
    ),
    "attributes": _drive(
        "list_attr_celeba.txt",
        "0B7EVK8r0v71pblRyaVFSWGxPY0U",
        "f0e5da289d5ccf75ffe8811132694922b60f2af59256ed362afa03fefba324d0",
    ),
}
# The original host is gone; scikit-learn's copy, with scikit-learn's SHA-256.
LFW = Remote(
    "lfw/lfw-funneled.tgz",
    ("https://ndownloader.figshare.com/files/5976015",),
    "sha256:b47c8422c8cded889dc5a13418c4bc2abbda121092b3533a83306f90d900100a",
)


def read(section: Public, rng: np.random.Generator) -> RawSet:
    """The public faces as 64 x 64 RGB. Train and val share no person.

    Raises:
        UserError: a download failed, or a file is not in its format.
    """
    return _celeba() if section.faces == "celeba" else _lfw(rng)


def _celeba() -> RawSet:
    """CelebA's own training and validation partitions, the centre square of each 178 x 218 image."""
    # The small files first: what is refused is refused before the 1.4 GB.
    partition = read_columns(fetch(CELEBA["partition"]), column=None)
    male = read_columns(fetch(CELEBA["attributes"]), column="Male")
    tree = open_tree(fetch(CELEBA["images"]))
    by_name = {name.rsplit("/", 1)[-1]: name for name in tree.names}
    splits = {}
    for code, split in ((0, "train"), (1, "val")):
        images = [image for image, value in partition.items() if value == code]
        missing = next((image for image in images if image not in by_name or image not in male), None)
        if missing or not images:
            raise UserError(
                f"{tree.where} lacks {missing or split}, which CelebA's lists name; delete it and run again"
            )
        labels = np.array([male[image] > 0 for image in images], dtype=np.int64)
        splits[split] = split_of_files(tree, [by_name[image] for image in images], labels, SIZE, crop=True)
    hashes = ", ".join(f"{remote.name} ({remote.hash})" for remote in CELEBA.values())
    return RawSet(splits["train"], splits["val"], "Male", "CelebA, aligned faces", hashes)


def _lfw(rng: np.random.Generator) -> RawSet:
    """LFW has no split for generative models: one person of six validates, chosen by `rng`."""
    archive = fetch(LFW)
    images, persons = read_lfw(archive)
    names = np.unique(persons)
    val = np.isin(persons, rng.choice(names, size=max(1, len(names) // VAL_SHARE), replace=False))
    return RawSet(
        train=RawSplit.of_arrays(images[~val], None),
        val=RawSplit.of_arrays(images[val], None),
        label=None,
        played_by="LFW, funneled faces",
        provenance=f"{archive.name} (SHA-256 {files.sha256(archive)}), pixels 50 to 200 of 250; "
        "the persons of train and val differ",
    )


def read_columns(path: Path, column: str | None) -> dict[str, int]:
    """One of CelebA's lists: file name -> integer. Attributes have two header lines, the partition (None) has none."""
    lines = path.read_text(encoding="utf-8").splitlines()
    try:
        at = 1 if column is None else lines[1].split().index(column) + 1
        rows = [line.split() for line in (lines if column is None else lines[2:])]
        return {row[0]: int(row[at]) for row in rows if row}
    except (ValueError, IndexError):
        raise UserError(f"{path} is not one of CelebA's lists; delete it and run again") from None


def read_lfw(archive: Path) -> tuple[np.ndarray, np.ndarray]:
    """All faces in one pass, for a gzipped tar has no index: `uint8` N x 64 x 64 x 3 and the persons' names."""
    images, persons = [], []
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                file = tar.extractfile(member) if member.name.endswith(".jpg") else None
                if file is not None:
                    whole = decode(file.read(), f"{archive}/{member.name}", 250, crop=True)
                    images.append(_shrink(whole[LFW_BOX, LFW_BOX]))
                    persons.append(member.name.split("/")[-2])
    except (tarfile.TarError, EOFError, IndexError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{archive} is not LFW's archive ({reason}); delete it and run again") from None
    if not images:
        raise UserError(f"{archive} holds no faces; delete it and run again")
    return np.stack(images), np.array(persons)


def _shrink(image: np.ndarray) -> np.ndarray:
    return fit(Image.fromarray(image), SIZE, crop=False)
