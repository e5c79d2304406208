"""Label tables: CSV files with an image name and its label on each line."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dlcv.runtime.errors import UserError
from dlcv.sources.file_tree import FileTree

IMAGE_COLUMN = "image_name"
LARGEST = 2**63 - 1  # a label is an int64


@dataclass(frozen=True)
class Table:
    """A label table.

    Attributes:
        column: name of the label column.
        images: image names as written in the table.
        labels: `int64`, one for each image.
    """

    column: str
    images: list[str]
    labels: np.ndarray


def read_table(tree: FileTree, name: str, column: str | None, digits: bool) -> Table:
    """Read a CSV file with the columns `image_name` and a label.

    Args:
        tree: the folder or archive.
        name: name of the table in `tree`.
        column: the label column; None for the only column besides `image_name`.
        digits: whether the labels have to be digits 0 to 9; otherwise any integer is valid.

    Raises:
        UserError: not a UTF-8 CSV table, a column is missing, there are no lines, an image is listed twice, or a
            label is not an integer or out of range (the message has the line number).
    """
    where = f"{tree.where}/{name}"
    rows = _rows(tree, name)
    header = [cell.strip() for cell in rows[0]] if rows else []
    column = _label_column(header, column, where)
    image_at, label_at = header.index(IMAGE_COLUMN), header.index(column)
    images: list[str] = []
    labels: list[int] = []
    for line, row in enumerate(rows[1:], start=2):
        if not row:
            continue
        if len(row) != len(header):
            raise UserError(f"{where}:{line} has {len(row)} cells, its header has {len(header)}; correct the line")
        images.append(row[image_at].strip())
        labels.append(_label(row[label_at].strip(), digits, f"{where}:{line}"))
    if not images:
        raise UserError(f"{where} lists no image; it needs at least one line under its header")
    twice = next((image for image, count in Counter(images).items() if count > 1), None)
    if twice is not None:
        raise UserError(f"{where} lists {twice} more than once; keep one line for it")
    return Table(column, images, np.array(labels, dtype=np.int64))


def columns(tree: FileTree, name: str) -> list[str]:
    """The names of the columns of a CSV file.

    Raises:
        UserError: not a UTF-8 CSV table.
    """
    rows = _rows(tree, name)
    return [cell.strip() for cell in rows[0]] if rows else []


def _rows(tree: FileTree, name: str) -> list[list[str]]:
    try:
        return list(csv.reader(io.StringIO(tree.read(name).decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{tree.where}/{name} is not a readable CSV table ({error}); save it as UTF-8 CSV") from None


def locate(tree: FileTree, table: str, images: Sequence[str], folders: Sequence[str]) -> list[str]:
    """Find the images of a table in `tree`: each is searched in `folders` in order ("" is the top).

    Returns:
        Their names in `tree`.

    Raises:
        UserError: an image is in none of the folders.
    """
    known = set(tree.names)
    found = []
    for image in images:
        names = [f"{folder}/{image}" if folder else image for folder in folders]
        name = next((name for name in names if name in known), None)
        if name is None:
            places = " or ".join(f"{folder or '.'}/" for folder in folders)
            raise UserError(
                f"{tree.where}/{table} lists {image}, which is not in {places}; add the image or remove its line"
            )
        found.append(name)
    return found


def refuse_overlap(tree: FileTree, train: Sequence[str], val: Sequence[str]) -> None:
    """Check that no image is in both splits, because validation scores would then include training images.

    Raises:
        UserError: an image is in both.
    """
    both = sorted(set(train) & set(val))
    if both:
        raise UserError(
            f"{tree.where}: {both[0]} is in train and in val ({len(both)} such images); keep it in one of them"
        )


def _label_column(header: list[str], column: str | None, where: str) -> str:
    found = f"it has {', '.join(header)}" if any(header) else "it is empty"
    if IMAGE_COLUMN not in header:
        raise UserError(f"{where} lacks the column {IMAGE_COLUMN}; {found}")
    if column is None:
        others = [name for name in header if name != IMAGE_COLUMN]
        if len(others) != 1:
            raise UserError(f"{where} needs exactly one label column besides {IMAGE_COLUMN}; {found}")
        return others[0]
    if column not in header:
        raise UserError(f"{where} lacks the column {column}; {found}")
    return column


def _label(text: str, digits: bool, where: str) -> int:
    try:
        label = int(text)
    except ValueError:
        raise UserError(f"{where}: the label {text[:40]!r} is not an integer; correct the line") from None
    if not -LARGEST <= label <= LARGEST:
        raise UserError(f"{where}: the label {text[:40]} is too large; correct the line")
    if digits and not 0 <= label <= 9:
        raise UserError(f"{where}: the label {label} is not a digit; labels are 0 to 9")
    return label
