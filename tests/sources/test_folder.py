from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dlcv.runtime import config as params
from dlcv.runtime.errors import UserError
from dlcv.sources.prepare import prepare_digits, prepare_faces
from dlcv.sources.registration import register

from .conftest import Files, png, table, write_folder

Project = Callable[..., params.Params]

DIGITS = [(f"{index}.png", index % 10) for index in range(60)]


def images(folder: str, rows: list[tuple[str, int]] = DIGITS) -> Files:
    prefix = f"{folder}/" if folder else ""
    return {f"{prefix}{name}": png(index, (16, 16), "L") for index, (name, _) in enumerate(rows)}


def class_folders(prefix: str, count: int) -> Files:
    return {f"{prefix}{index % 10}/{index}.png": png(index) for index in range(count)}


def prepare(project: Project, files: Files, name: str = "usps") -> dict[str, object]:
    project("folder")
    register(write_folder(Path("../images"), files), name)
    values = params.load()
    card = prepare_faces(values) if name == "faces" else prepare_digits("usps", values)
    return {split: content["count"] for split, content in card["splits"].items()} | {"label": card["label"]}


@pytest.mark.parametrize(
    ("files", "counts"),
    [
        (images("") | {"labels.csv": table(DIGITS)}, (50, 10)),
        (class_folders("", 120), (100, 20)),
        (class_folders("train/", 20) | class_folders("val/", 10), (20, 10)),
        (
            images("data") | {"train.csv": table(DIGITS[:40]), "val.csv": table(DIGITS[40:])},
            (40, 20),
        ),
        (
            images("train", DIGITS[:30])
            | images("val", DIGITS[30:])
            | {"train/labels.csv": table(DIGITS[:30]), "val/labels.csv": table(DIGITS[30:])},
            (30, 30),
        ),
        (
            images("train", DIGITS[:40])
            | images("val", DIGITS[40:])
            | {
                "labels.csv": table(
                    [(f"train/{name}", label) for name, label in DIGITS[:40]]
                    + [(f"val/{name}", label) for name, label in DIGITS[40:]]
                )
            },
            (40, 20),
        ),
    ],
    ids=["one table", "class folders", "class folders in splits", "two tables", "tables in splits", "common table"],
)
def test_digits_in_every_layout(project: Project, files: Files, counts: tuple[int, int]) -> None:
    assert prepare(project, files) == {"train": counts[0], "val": counts[1], "label": "digit"}


def test_faces_need_no_labels_and_may_be_in_subfolders(project: Project) -> None:
    files = {f"person {index // 2}/{index}.jpg": png(index, (70, 90)) for index in range(12)}
    assert prepare(project, files, "faces") == {"train": 10, "val": 2, "label": None}
    assert not Path("data/faces/train_labels.npy").exists()


def test_faces_take_the_column_of_their_table(project: Project) -> None:
    rows = [(f"{index}.png", index % 2) for index in range(12)]
    files = images("", rows) | {"labels.csv": table(rows, "Smiling")}
    assert prepare(project, files, "faces") == {"train": 10, "val": 2, "label": "Smiling"}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (images(""), r"no label for 0.png; digits need a labels.csv with image_name,label or class folders 0 to 9"),
        ({"0/0.png": png(0)}, r"has a single image; a split into train and val needs at least two"),
        (
            images("train", DIGITS[:30]) | images("val", DIGITS[30:]) | {"labels.csv": table(DIGITS)},
            r"labels.csv lists no image of train/; write image_name as train/NAME$",
        ),
    ],
    ids=["no labels", "single image", "common table without folders"],
)
def test_bad_folders(project: Project, files: Files, message: str) -> None:
    with pytest.raises(UserError, match=message):
        prepare(project, files)
    assert not Path("data/digits/usps").exists()


def test_a_changed_folder_names_its_own_command(project: Project) -> None:
    prepare(project, class_folders("", 120))
    write_folder(Path("../images"), {"0/new.png": png(999)})
    with pytest.raises(
        UserError, match="^data.folder.usps: .* has changed: .* run `dlcv data register PATH --set usps`"
    ):
        prepare_digits("usps", params.load())
