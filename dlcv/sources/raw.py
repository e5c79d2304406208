"""What a source gives: two splits whose labels are known and whose images are read when asked for.

Labels first, images later: a limit chooses 4,000 of 30,000 images by their labels, and only those
4,000 files are opened.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from dlcv.runtime.errors import UserError

Read = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class RawSplit:
    """One split of a source.

    Attributes:
        count: number of images.
        labels: `int64` of length `count`, or None where the source has none.
        read: from `int64` indices of length n to `uint8` n x H x W x 3 in [0, 255].
    """

    count: int
    labels: np.ndarray | None
    read: Read

    @classmethod
    def of_arrays(cls, images: np.ndarray, labels: np.ndarray | None) -> RawSplit:
        """A split whose images are in memory already."""
        return cls(len(images), labels, lambda indices: images[indices])

    def take(self, indices: np.ndarray) -> RawSplit:
        """The images at `indices`, in that order."""
        labels = None if self.labels is None else self.labels[indices]
        return RawSplit(len(indices), labels, lambda chosen: self.read(indices[chosen]))


@dataclass(frozen=True)
class RawSet:
    """A data set as its source gives it.

    Attributes:
        train, val: the splits.
        label: what the labels are ("digit", "Male", "person"), or None.
        played_by: in plain words, what plays this set's part.
        provenance: where the images come from and what was done to them.
    """

    train: RawSplit
    val: RawSplit
    label: str | None
    played_by: str
    provenance: str


def choose(labels: np.ndarray | None, count: int, limit: int | None, rng: np.random.Generator) -> np.ndarray:
    """Indices of at most `limit` of `count` images, in random order.

    Each class keeps its share of the source (largest remainders), and at least one image where the
    limit allows it. Random order, so that the first n of a prepared split are a fair sample of it.
    """
    order = rng.permutation(count)
    if limit is None or limit >= count:
        return order
    if labels is None:
        return order[:limit]
    classes, sizes = np.unique(labels, return_counts=True)
    quotas = _shares(sizes, limit)
    kept = np.zeros(count, dtype=bool)
    for value, quota in zip(classes, quotas, strict=True):
        members = order[labels[order] == value]
        kept[members[:quota]] = True
    return order[kept[order]]


def divide(labels: np.ndarray | None, count: int, val: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Split `count` images into indices of train and of `val` validation images, classes kept in proportion."""
    chosen = choose(labels, count, val, rng)
    rest = np.setdiff1d(np.arange(count), chosen)
    return rng.permutation(rest), chosen


def limited(source: RawSet, train: int | None, val: int | None, rng: np.random.Generator) -> RawSet:
    """At most `train` and `val` images of a set, chosen by `choose`."""
    return replace(source, train=_cut(source.train, train, rng), val=_cut(source.val, val, rng))


def require_digits(split: RawSplit, where: str) -> None:
    """Refuse a split of digits that lacks one of the ten classes.

    Raises:
        UserError: naming the empty classes and the split.
    """
    assert split.labels is not None
    missing = sorted(set(range(10)) - set(np.unique(split.labels).tolist()))
    if missing:
        names = ", ".join(str(value) for value in missing)
        raise UserError(f"{where} has no image of class {names}; every split of digits needs all of 0 to 9")


def _cut(split: RawSplit, limit: int | None, rng: np.random.Generator) -> RawSplit:
    return split.take(choose(split.labels, split.count, limit, rng))


def _shares(sizes: np.ndarray, limit: int) -> np.ndarray:
    """Integers in proportion to `sizes` that sum to `limit`, none above its size."""
    exact = sizes * (limit / sizes.sum())
    quotas: np.ndarray = np.floor(exact).astype(np.int64)
    # Largest remainders first; a stable sort makes ties fall the same way everywhere.
    for index in np.argsort(quotas - exact, kind="stable")[: limit - quotas.sum()]:
        quotas[index] += 1
    if limit >= len(sizes):
        for index in np.flatnonzero(quotas == 0):
            quotas[np.argmax(quotas)] -= 1
            quotas[index] = 1
    return quotas
