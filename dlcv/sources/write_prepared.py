"""Write the prepared form of a data set; `dlcv/data/prepared.py` describes and reads it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dlcv.figures.grids import labelled_rows
from dlcv.runtime.files import replacing, write_json
from dlcv.runtime.progress import bar
from dlcv.sources.splits import SourceSet, SourceSplit

CHUNK = 1024  # images in memory at once, so that a set larger than memory can be prepared
CONTACT_COLUMNS = 14


def write_prepared(folder: Path, name: str, source: str, size: int, data: SourceSet) -> dict[str, Any]:
    """Write a prepared folder, completely or not at all, and return its card.

    Args:
        name, source: the data set and its source, for the card.
        size: side of the images in pixels.
        data: the images and labels.

    Raises:
        UserError: an image cannot be read.
    """
    folder = Path(folder)
    digest = hashlib.sha256()
    with replacing(folder) as temporary:
        temporary.mkdir()
        train = _write_split(temporary, "train", data.train, size)
        val = _write_split(temporary, "val", data.val, size)
        for split in (train, val):
            digest.update(split.digest.digest())
        card = {
            "name": name,
            "source": source,
            "played_by": data.played_by,
            "provenance": data.provenance,
            "label": data.label,
            "size": size,
            "splits": {
                "train": train.summary(data.train.labels),
                "val": val.summary(data.val.labels),
            },
            # Over the hashes of the splits, which are over the bytes of images and labels.
            "sha256": digest.hexdigest(),
        }
        write_json(temporary / "card.json", card)
        mean = np.rint(train.total / train.count).astype(np.uint8)
        Image.fromarray(mean).save(temporary / "mean.png")
        _contact_sheet(temporary, card).save(temporary / "contact.png")
    return card


class _Statistics:
    """Count, sums and SHA-256 of a split. The sums are integers, so the mean does not depend on the chunk size."""

    def __init__(self, size: int):
        self.count = 0
        self.total = np.zeros((size, size, 3), dtype=np.int64)
        self.squares = np.zeros(3, dtype=np.int64)
        self.digest = hashlib.sha256()

    def add(self, images: np.ndarray) -> None:
        self.count += len(images)
        self.total += images.sum(axis=0, dtype=np.int64)
        self.squares += (images.astype(np.uint16) ** 2).sum(axis=(0, 1, 2), dtype=np.int64)
        self.digest.update(images.tobytes())

    def summary(self, labels: np.ndarray | None) -> dict[str, Any]:
        """The split's entry in the card; mean and standard deviation of each channel in [0, 1]."""
        pixels = self.count * self.total[..., 0].size
        mean = self.total.sum(axis=(0, 1)) / pixels
        std = np.sqrt(self.squares / pixels - mean**2)
        return {
            "count": self.count,
            "classes": _class_counts(labels),
            "mean": [round(float(value), 6) for value in mean / 255],
            "std": [round(float(value), 6) for value in std / 255],
            "sha256": self.digest.hexdigest(),
        }


def _write_split(folder: Path, name: str, split: SourceSplit, size: int) -> _Statistics:
    statistics = _Statistics(size)
    header = {"descr": "|u1", "fortran_order": False, "shape": (split.count, size, size, 3)}
    # Not a memory map: if the disk is full, a memory map kills the process with SIGBUS, a file raises OSError.
    with open(folder / f"{name}_images.npy", "wb") as file, bar(f"preparing {name}", split.count) as done:
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, split.count, CHUNK):
            images = np.ascontiguousarray(split.read(np.arange(start, min(start + CHUNK, split.count))))
            file.write(images.tobytes())
            statistics.add(images)
            done.update(len(images))
    if split.labels is not None:
        np.save(folder / f"{name}_labels.npy", split.labels.astype(np.int64))
        statistics.digest.update(split.labels.astype("<i8").tobytes())
    return statistics


def _class_counts(labels: np.ndarray | None) -> dict[str, int] | None:
    if labels is None:
        return None
    values, counts = np.unique(labels, return_counts=True)
    return {str(value): int(count) for value, count in zip(values.tolist(), counts.tolist(), strict=True)}


def _contact_sheet(folder: Path, card: dict[str, Any]) -> Image.Image:
    """A sheet of training images: one row for each digit; for other data sets, the first images in their order."""
    images = np.load(folder / "train_images.npy", mmap_mode="r")
    title = f"{card['name']}: {card['splits']['train']['count']} training images, {card['played_by']}"
    if card["label"] == "digit":
        labels = np.load(folder / "train_labels.npy")
        rows = [images[np.flatnonzero(labels == digit)[:CONTACT_COLUMNS]] for digit in range(10)]
        return labelled_rows(rows, [str(digit) for digit in range(10)], title, scale=2)
    columns = CONTACT_COLUMNS - 2
    rows = [images[start : start + columns] for start in range(0, min(len(images), 6 * columns), columns)]
    return labelled_rows(rows, [""] * len(rows), title)
