"""Train and validation splits as a source returns them, and the seeded choice of images.

Labels are in memory, images are read on demand. So a limit can select 4,000 of 30,000 images by their
labels, and only those 4,000 files are opened.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dlcv.data.images import decode
from dlcv.runtime.errors import UserError
from dlcv.runtime.progress import over
from dlcv.sources.file_tree import FileTree


@dataclass(frozen=True)
class SourceSplit:
    """One split of a source.

    Attributes:
        count: number of images.
        labels: `int64` of length `count`, or None if the source has no labels.
        read: maps `int64` indices of length n to images, `uint8` n x H x W x 3 in [0, 255].
    """

    count: int
    labels: np.ndarray | None
    read: Callable[[np.ndarray], np.ndarray]

    @classmethod
    def from_arrays(cls, images: np.ndarray, labels: np.ndarray | None) -> SourceSplit:
        """A split whose images, `uint8` N x H x W x 3, are already in memory."""
        return cls(len(images), labels, lambda indices: images[indices])

    @classmethod
    def from_files(
        cls, tree: FileTree, names: Sequence[str], labels: np.ndarray | None, size: int, crop: bool
    ) -> SourceSplit:
        """A split that decodes the files `names` of `tree` on demand; `size` and `crop` as in `images.decode`."""

        def read(indices: np.ndarray) -> np.ndarray:
            chosen = over([names[index] for index in indices], tree.where)
            return np.stack([decode(tree.read(name), f"{tree.where}/{name}", size, crop) for name in chosen])

        return cls(len(names), labels, read)

    def take(self, indices: np.ndarray) -> SourceSplit:
        """The images at `indices`, in that order."""
        labels = None if self.labels is None else self.labels[indices]
        return SourceSplit(len(indices), labels, lambda chosen: self.read(indices[chosen]))


@dataclass(frozen=True)
class SourceSet:
    """A data set as its source returns it.

    Attributes:
        train, val: the splits.
        label: the meaning of the labels ("digit", "Male", "person"), or None.
        played_by: which data stand for this data set, in a few words.
        provenance: the origin of the images and how they were processed.
    """

    train: SourceSplit
    val: SourceSplit
    label: str | None
    played_by: str
    provenance: str


def stratified(labels: np.ndarray | None, count: int, limit: int | None, rng: np.random.Generator) -> np.ndarray:
    """A stratified sample: indices of at most `limit` of `count` images, in random order.

    Each class keeps its share of the source (largest remainder method), with at least one image if the
    limit allows it. The order is random, so the first n images of a prepared split are a fair sample.
    """
    order = rng.permutation(count)
    if limit is None or limit >= count:
        return order
    if labels is None:
        return order[:limit]
    classes, sizes = np.unique(labels, return_counts=True)
    quotas = _quotas(sizes, limit)
    kept = np.zeros(count, dtype=bool)
    for value, quota in zip(classes, quotas, strict=True):
        members = order[labels[order] == value]
        kept[members[:quota]] = True
    return order[kept[order]]


def train_val_split(
    labels: np.ndarray | None, count: int, val: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A stratified split of `count` images: indices of the training and of the `val` validation images."""
    chosen = stratified(labels, count, val, rng)
    rest = np.setdiff1d(np.arange(count), chosen)
    return rng.permutation(rest), chosen


def limited(source: SourceSet, train: int | None, val: int | None, rng: np.random.Generator) -> SourceSet:
    """A stratified sample of at most `train` training and `val` validation images; None for all."""

    def cut(split: SourceSplit, limit: int | None) -> SourceSplit:
        return split.take(stratified(split.labels, split.count, limit, rng))

    return replace(source, train=cut(source.train, train), val=cut(source.val, val))


def require_all_digits(split: SourceSplit, where: str) -> None:
    """Check that every digit from 0 to 9 has an image in a split.

    Raises:
        UserError: a class is empty; the message has the empty classes and `where`.
    """
    assert split.labels is not None
    missing = sorted(set(range(10)) - set(np.unique(split.labels).tolist()))
    if missing:
        names = ", ".join(str(value) for value in missing)
        raise UserError(f"{where} has no image of class {names}; every split of digits needs all classes 0 to 9")


def _quotas(sizes: np.ndarray, limit: int) -> np.ndarray:
    """Integers in proportion to `sizes` with the sum `limit`, none above its size."""
    exact = sizes * (limit / sizes.sum())
    quotas: np.ndarray = np.floor(exact).astype(np.int64)
    # Largest remainders first; the stable sort resolves ties in the same way on every machine.
    for index in np.argsort(quotas - exact, kind="stable")[: limit - quotas.sum()]:
        quotas[index] += 1
    if limit >= len(sizes):
        for index in np.flatnonzero(quotas == 0):
            quotas[np.argmax(quotas)] -= 1
            quotas[index] = 1
    return quotas
