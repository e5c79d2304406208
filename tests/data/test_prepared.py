from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dlcv.data.prepared import load_split, read_card
from dlcv.runtime.errors import UserError
from dlcv.sources.write_prepared import write_prepared

from ..sources.conftest import noise_set


def test_what_is_written_is_read(tmp_path: Path) -> None:
    data = noise_set()
    write_prepared(tmp_path / "data/digits/usps", "usps", "sample", 8, data)
    split = load_split(tmp_path / "data/digits/usps", "val")
    assert isinstance(split.images, np.memmap) and not split.images.flags.writeable
    assert np.array_equal(split.images, data.val.read(np.arange(20)))
    assert split.labels is not None and split.labels.dtype == np.int64
    assert split.labels.tolist() == [index % 10 for index in range(20)]


def test_images_of_another_size_are_refused(tmp_path: Path) -> None:
    write_prepared(tmp_path / "faces", "faces", "sample", 8, noise_set())
    assert read_card(tmp_path / "faces", size=8)["name"] == "faces"
    with pytest.raises(UserError, match=r"faces has images of 8 pixels; the networks are for 64$"):
        read_card(tmp_path / "faces", size=64)


@pytest.mark.parametrize(("folder", "stage"), [("data/digits/svhn", "digits@svhn"), ("data/faces", "faces")])
def test_missing_data_name_the_stage(tmp_path: Path, folder: str, stage: str) -> None:
    cure = rf"run `dvc repro stages/data/dvc.yaml:{stage}` or `dvc pull`$"
    with pytest.raises(UserError, match=rf"^there is no prepared data in .*{folder}; {cure}"):
        load_split(tmp_path / folder, "train")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train_images.npy", None, "train_images.npy is missing"),
        ("train_labels.npy", None, "train_labels.npy is missing"),
        ("train_images.npy", 1000, "train_images.npy is not a complete array"),
        ("train_images.npy", 0, "train_images.npy is not a complete array"),
        ("train_labels.npy", 150, "train_labels.npy is not a complete array"),
        ("card.json", 40, "card.json is not a valid card"),
    ],
)
def test_damaged_data_say_what_is_wrong(tmp_path: Path, name: str, content: int | None, message: str) -> None:
    folder = tmp_path / "digits/usps"
    write_prepared(folder, "usps", "sample", 8, noise_set())
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes((folder / name).read_bytes()[:content])
    with pytest.raises(
        UserError, match=rf"usps is damaged \({message}.*\); run `dvc repro -f stages/data/dvc.yaml:digits@usps`"
    ):
        load_split(folder, "train")


def test_an_array_that_its_card_does_not_describe_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "digits/usps"
    card = write_prepared(folder, "usps", "sample", 8, noise_set())
    card["splits"]["train"]["count"] = 41
    (folder / "card.json").write_text(json.dumps(card))
    with pytest.raises(
        UserError, match=r"train_images.npy is uint8 \(40, 8, 8, 3\), but its card has uint8 \(41, 8, 8, 3\)"
    ):
        load_split(folder, "train")


@pytest.mark.parametrize("label", [12, -1])
def test_a_label_that_is_no_digit_is_refused(tmp_path: Path, label: int) -> None:
    folder = tmp_path / "digits/usps"
    write_prepared(folder, "usps", "sample", 8, noise_set())
    labels = np.load(folder / "train_labels.npy")
    labels[3] = label
    np.save(folder / "train_labels.npy", labels)
    with pytest.raises(
        UserError, match=rf"train_labels.npy has labels from .*{label}.*, no digits\); run `dvc repro -f"
    ):
        load_split(folder, "train")
