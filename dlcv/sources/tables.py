"""Label tables: CSV files that name an image and its label on each line."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dlcv.data.images import decode
from dlcv.runtime.errors import UserError
from dlcv.sources.raw import RawSplit
from dlcv.sources.tree import Tree

IMAGE_COLUMN = "image_name"


@dataclass(frozen=True)
class Table:
    """A label table.

    Attributes:
        column: name of the label column.
        images: the names as the table gives them.
        labels: `int64`, one for each image.
    """

    column: str
    images: list[str]
    labels: np.ndarray


def read_table(tree: Tree, name: str, column: str | None, digits: bool) -> Table:
    """Read a CSV file with the columns `image_name` and a label.

    Args:
        tree: where the table is.
        name: the table's name in it.
        column: the label column; None takes the only other one.
        digits: whether labels have to be digits 0 to 9, rather than any integers.

    Raises:
        UserError: not a UTF-8 CSV table, a column missing, no line, an image listed twice, or a label
            that is no integer or out of range; each with its line.
    """
    where = f"{tree.where}/{name}"
    try:
        rows = list(csv.reader(io.StringIO(tree.read(name).decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{where} is not a readable CSV table ({error}); save it as UTF-8 CSV") from None
    header = [cell.strip() for cell in rows[0]] if rows else []
    column = _label_column(header, column, where)
    image_at, label_at = header.index(IMAGE_COLUMN), header.index(column)
    images: list[str] = []
    labels: list[int] = []
    for line, row in enumerate(rows[1:], start=2):
        if not row:
            continue
        if len(row) != len(header):
            raise UserError(f"{where}:{line} has {len(row)} cells, its header has {len(header)}; mend the line")
        images.append(row[image_at].strip())
        labels.append(_label(row[label_at].strip(), digits, f"{where}:{line}"))
    if not images:
        raise UserError(f"{where} lists no image; it needs at least one line under its header")
    if len(set(images)) < len(images):
        twice = next(image for image in images if images.count(image) > 1)
        raise UserError(f"{where} lists {twice} more than once; keep one line for it")
    return Table(column, images, np.array(labels, dtype=np.int64))


def locate(tree: Tree, table: str, images: Sequence[str], folders: Sequence[str]) -> list[str]:
    """The tree's names of a table's images, each looked for in `folders` in turn ("" is the top).

    Raises:
        UserError: an image is in none of the folders.
    """
    known = set(tree.names)
    found = []
    for image in images:
        for folder in folders:
            name = f"{folder}/{image}" if folder else image
            if name in known:
                found.append(name)
                break
        else:
            places = " or ".join(f"{folder or '.'}/" for folder in folders)
            raise UserError(
                f"{tree.where}/{table} lists {image}, which is not in {places}; add the image or remove its line"
            )
    return found


def refuse_overlap(tree: Tree, train: Sequence[str], val: Sequence[str]) -> None:
    """Refuse an image that is in both splits: scores on val would then be scores on train."""
    both = sorted(set(train) & set(val))
    if both:
        raise UserError(
            f"{tree.where}: {both[0]} is in train and in val ({len(both)} such images); keep it in one of them"
        )


def split_of_files(tree: Tree, names: Sequence[str], labels: np.ndarray | None, size: int, crop: bool) -> RawSplit:
    """A split whose images are decoded from the tree's files when they are asked for."""

    def read(indices: np.ndarray) -> np.ndarray:
        chosen = (names[index] for index in indices)
        return np.stack([decode(tree.read(name), f"{tree.where}/{name}", size, crop) for name in chosen])

    return RawSplit(len(names), labels, read)


def _label_column(header: list[str], column: str | None, where: str) -> str:
    has = f"it has {', '.join(header)}" if any(header) else "it is empty"
    if IMAGE_COLUMN not in header:
        raise UserError(f"{where} lacks the column {IMAGE_COLUMN}; {has}")
    if column is None:
        others = [name for name in header if name != IMAGE_COLUMN]
        if len(others) != 1:
            raise UserError(f"{where} needs exactly one label column beside {IMAGE_COLUMN}; {has}")
        return others[0]
    if column not in header:
        raise UserError(f"{where} lacks the column {column}; {has}")
    return column


def _label(text: str, digits: bool, where: str) -> int:
    try:
        label = int(text)
    except ValueError:
        raise UserError(f"{where}: the label {text!r} is no integer; mend the line") from None
    if digits and not 0 <= label <= 9:
        raise UserError(f"{where}: the label {label} is no digit; labels are 0 to 9")
    return label
