from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dlcv.runtime.errors import UserError
from dlcv.sources.file_tree import FileTree, open_tree
from dlcv.sources.label_tables import locate, read_table, refuse_overlap

from .conftest import write_folder


def tree_with(tmp_path: Path, text: bytes) -> FileTree:
    return open_tree(write_folder(tmp_path / "set", {"train.csv": text, "data/0.png": b"", "1.png": b""}))


def test_columns_in_any_order_with_a_byte_order_mark_and_spaces(tmp_path: Path) -> None:
    tree = tree_with(tmp_path, b"\xef\xbb\xbflabel, image_name\r\n7, 0.png\r\n\r\n0,1.png\r\n")
    table = read_table(tree, "train.csv", "label", digits=True)
    assert table.images == ["0.png", "1.png"] and table.labels.tolist() == [7, 0]
    assert table.labels.dtype == np.int64
    assert locate(tree, "train.csv", table.images, ["data", ""]) == ["data/0.png", "1.png"]


def test_faces_take_the_only_other_column_and_any_integer(tmp_path: Path) -> None:
    table = read_table(tree_with(tmp_path, b"image_name,Male\n0.png,-1\n"), "train.csv", None, digits=False)
    assert table.column == "Male" and table.labels.tolist() == [-1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"image_name,label\n0.png,12\n", r"train.csv:2: the label 12 is not a digit; labels are 0 to 9$"),
        (
            b"image_name,label\n0.png,1" + b"0" * 23 + b"\n",
            r"train.csv:2: the label 10{23} is too large; correct the line$",
        ),
        (b"image_name,label\n0.png," + b"1" * 5000 + b"\n", r"train.csv:2: the label '1{40}' is not an integer"),
        (b"image_name,label\n0.png,three\n", r"train.csv:2: the label 'three' is not an integer; correct the line$"),
        (b"image_name,label\n0.png,3\n1.png,2.5\n", r"train.csv:3: the label '2.5' is not an integer"),
        (b"image_name,class\n0.png,3\n", r"train.csv lacks the column label; it has image_name, class$"),
        (b"name,label\n0.png,3\n", r"train.csv lacks the column image_name; it has name, label$"),
        (b"", r"train.csv lacks the column image_name; it is empty$"),
        (b"image_name,label\n", r"train.csv lists no image; it needs at least one line"),
        (b"image_name,label\n0.png\n", r"train.csv:2 has 1 cells, its header has 2; correct the line$"),
        (b"image_name,label\n0.png,1\n0.png,2\n", r"train.csv lists 0.png more than once"),
        (b"\xff\xfe\x00\x01\x80", r"train.csv is not a readable CSV table \(.*\); save it as UTF-8 CSV$"),
        (b'image_name,label\n"0.png,1\n', r"train.csv is not a readable CSV table \(unexpected end of data\)"),
    ],
)
def test_bad_tables(tmp_path: Path, text: bytes, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        read_table(tree_with(tmp_path, text), "train.csv", "label", digits=True)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["9.png", "../set/data/0.png", "/etc/passwd"])
def test_an_image_that_does_not_exist(tmp_path: Path, name: str) -> None:
    tree = tree_with(tmp_path, b"")
    with pytest.raises(UserError, match=rf"train.csv lists {name}, which is not in data/ or \./; add the image or"):
        locate(tree, "train.csv", [name], ["data", ""])


def test_an_image_in_both_splits_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"1\.png is in train and in val \(1 such images\)"):
        refuse_overlap(tree_with(tmp_path, b""), ["1.png", "2.png"], ["1.png"])


def test_a_double_name_in_a_long_table_is_found_at_once(tmp_path: Path) -> None:
    """With one pass over the table for each name, this would take minutes."""
    lines = [f"{index}.png,1" for index in range(60_000)]
    text = "\n".join(["image_name,label", *lines, "59999.png,2", ""]).encode()
    with pytest.raises(UserError, match=r"train.csv lists 59999.png more than once"):
        read_table(tree_with(tmp_path, text), "train.csv", "label", digits=True)
