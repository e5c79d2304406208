"""The writer of the prepared form; `prepared.py` says what is in it and reads it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dlcv.figures.grids import labelled_rows
from dlcv.runtime.files import replacing, write_json
from dlcv.sources.raw import RawSet, RawSplit

CHUNK = 1024  # images in memory at once: a set larger than memory can be prepared
CONTACT_COLUMNS = 14


def write(folder: Path, name: str, source: str, size: int, raw: RawSet) -> dict[str, Any]:
    """Write a prepared folder, whole or not at all, and return its card.

    Raises:
        UserError: an image cannot be read.
    """
    folder = Path(folder)
    digest = hashlib.sha256()
    with replacing(folder) as temporary:
        temporary.mkdir()
        splits: dict[str, Any] = {}
        total = np.zeros((size, size, 3), dtype=np.int64)
        for split_name, split in (("train", raw.train), ("val", raw.val)):
            pixels = _write_images(temporary / f"{split_name}_images.npy", split, size)
            if split_name == "train":
                total = pixels.total
            own = pixels.digest
            if split.labels is not None:
                np.save(temporary / f"{split_name}_labels.npy", split.labels.astype(np.int64))
                own.update(split.labels.astype("<i8").tobytes())
            digest.update(own.digest())
            splits[split_name] = {
                "count": split.count,
                "classes": _histogram(split.labels),
                "mean": pixels.mean(),
                "std": pixels.std(),
                "sha256": own.hexdigest(),
            }
        card = {
            "name": name,
            "source": source,
            "played_by": raw.played_by,
            "provenance": raw.provenance,
            "label": raw.label,
            "size": size,
            "splits": splits,
            # Over the splits' hashes, which are over the bytes of images and labels.
            "sha256": digest.hexdigest(),
        }
        write_json(temporary / "card.json", card)
        mean = np.rint(total / raw.train.count).astype(np.uint8)
        Image.fromarray(mean).save(temporary / "mean.png")
        _contact_sheet(temporary, card).save(temporary / "contact.png")
    return card


class _Pixels:
    """Sums over images in integers, so that chunks of any size give the same mean."""

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

    def mean(self) -> list[float]:
        pixels = self.count * self.total[..., 0].size
        return [round(float(value), 6) for value in self.total.sum(axis=(0, 1)) / pixels / 255]

    def std(self) -> list[float]:
        pixels = self.count * self.total[..., 0].size
        mean = self.total.sum(axis=(0, 1)) / pixels
        return [round(float(value), 6) for value in np.sqrt(self.squares / pixels - mean**2) / 255]


def _write_images(path: Path, split: RawSplit, size: int) -> _Pixels:
    pixels = _Pixels(size)
    header = {"descr": "|u1", "fortran_order": False, "shape": (split.count, size, size, 3)}
    # Not through a memory map: on a full disk that ends in SIGBUS, where a file says so.
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, split.count, CHUNK):
            images = np.ascontiguousarray(split.read(np.arange(start, min(start + CHUNK, split.count))))
            file.write(images.tobytes())
            pixels.add(images)
    return pixels


def _histogram(labels: np.ndarray | None) -> dict[str, int] | None:
    if labels is None:
        return None
    values, counts = np.unique(labels, return_counts=True)
    return {str(value): int(count) for value, count in zip(values.tolist(), counts.tolist(), strict=True)}


def _contact_sheet(folder: Path, card: dict[str, Any]) -> Image.Image:
    """Digits: a row for each class. Faces: rows of training images in their order."""
    images = np.load(folder / "train_images.npy", mmap_mode="r")
    title = f"{card['name']}: {card['splits']['train']['count']} training images, {card['played_by']}"
    if card["label"] == "digit":
        labels = np.load(folder / "train_labels.npy")
        rows = [images[np.flatnonzero(labels == digit)[:CONTACT_COLUMNS]] for digit in range(10)]
        return labelled_rows(rows, [str(digit) for digit in range(10)], title, scale=2)
    columns = CONTACT_COLUMNS - 2
    rows = [images[start : start + columns] for start in range(0, min(len(images), 6 * columns), columns)]
    return labelled_rows(rows, [""] * len(rows), title)
