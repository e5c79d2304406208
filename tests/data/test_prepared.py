from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import pytest
from PIL import Image

from dlcv.data.prepared import load_split, read_card
from dlcv.runtime.errors import UserError
from dlcv.sources.raw import RawSet, RawSplit
from dlcv.sources.writing import write


def raw_set(count: int = 40, size: int = 8, labels: bool = True) -> RawSet:
    rng = np.random.default_rng(0)

    def split(n: int) -> RawSplit:
        images = rng.integers(256, size=(n, size, size, 3), dtype=np.uint8)
        return RawSplit.of_arrays(images, np.arange(n) % 10 if labels else None)

    return RawSet(split(count), split(count // 2), "digit" if labels else None, "noise", "a generator")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    raw = raw_set()
    write(tmp_path / "data/digits/usps", "usps", "sample", 8, raw)
    split = load_split(tmp_path / "data/digits/usps", "val")
    assert isinstance(split.images, np.memmap) and not split.images.flags.writeable
    assert np.array_equal(split.images, raw.val.read(np.arange(20)))
    assert split.labels is not None and split.labels.dtype == np.int64
    assert split.labels.tolist() == [index % 10 for index in range(20)]


def test_the_card_counts_and_measures(tmp_path: Path) -> None:
    raw = raw_set()
    card = write(tmp_path / "usps", "usps", "sample", 8, raw)
    assert card == read_card(tmp_path / "usps")
    images = raw.train.read(np.arange(40)) / 255
    train = card["splits"]["train"]
    assert train["count"] == 40 and train["classes"] == {str(digit): 4 for digit in range(10)}
    assert np.allclose(train["mean"], images.mean((0, 1, 2)), atol=1e-6)
    assert np.allclose(train["std"], images.std((0, 1, 2)), atol=1e-6)
    mean = np.asarray(Image.open(tmp_path / "usps/mean.png"))
    assert np.abs(mean - images.mean(0) * 255).max() <= 0.5 + 1e-9


def test_same_images_same_bytes_in_chunks_of_any_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "one", "usps", "sample", 8, raw_set())
    monkeypatch.setattr("dlcv.sources.writing.CHUNK", 7)
    write(tmp_path / "two", "usps", "sample", 8, raw_set())
    files = sorted(file.name for file in (tmp_path / "one").iterdir())
    assert len(files) == 7
    assert all((tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes() for name in files)


def test_the_hash_sees_images_and_labels(tmp_path: Path) -> None:
    raw = raw_set()
    hashes = {write(tmp_path / "a", "usps", "sample", 8, raw)["sha256"]}
    images, labels = raw.val.read(np.arange(20)).copy(), np.arange(20) % 10
    labels[[0, 1]] = labels[[1, 0]]
    swapped = RawSet(raw.train, RawSplit.of_arrays(images, labels), "digit", "", "")
    hashes.add(write(tmp_path / "b", "usps", "sample", 8, swapped)["sha256"])
    images[3, 2, 1, 0] ^= 1
    hashes.add(write(tmp_path / "c", "usps", "sample", 8, swapped)["sha256"])
    assert len(hashes) == 3


def test_a_set_without_labels_has_no_label_files(tmp_path: Path) -> None:
    card = write(tmp_path / "faces", "faces", "folder", 8, raw_set(labels=False))
    assert card["label"] is None and card["splits"]["train"]["classes"] is None
    assert load_split(tmp_path / "faces", "train").labels is None
    assert not list((tmp_path / "faces").glob("*labels*"))


def test_an_interrupted_writer_leaves_nothing(tmp_path: Path) -> None:
    def fail(indices: np.ndarray) -> np.ndarray:
        raise UserError("0.png is truncated")

    raw = raw_set()
    broken = RawSet(raw.train, RawSplit(20, np.arange(20) % 10, fail), "digit", "", "")
    with pytest.raises(UserError):
        write(tmp_path / "data/usps", "usps", "sample", 8, broken)
    assert list((tmp_path / "data").iterdir()) == []


def test_a_full_disk_is_an_error_of_the_system_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, mode: str) -> BinaryIO:
        return cast(BinaryIO, open("/dev/full", mode, buffering=0))

    monkeypatch.setattr("dlcv.sources.writing.open", full, raising=False)
    with pytest.raises(OSError) as caught:
        write(tmp_path / "data/usps", "usps", "sample", 8, raw_set())
    assert caught.value.errno == errno.ENOSPC
    assert list((tmp_path / "data").iterdir()) == []


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
        ("train_images.npy", 1000, "train_images.npy is no whole array"),
        ("train_images.npy", 0, "train_images.npy is no whole array"),
        ("train_labels.npy", 150, "train_labels.npy is no whole array"),
        ("card.json", 40, "card.json is not a card"),
    ],
)
def test_damaged_data_say_what_is_wrong(tmp_path: Path, name: str, content: int | None, message: str) -> None:
    folder = tmp_path / "digits/usps"
    write(folder, "usps", "sample", 8, raw_set())
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
    card = write(folder, "usps", "sample", 8, raw_set())
    card["splits"]["train"]["count"] = 41
    (folder / "card.json").write_text(json.dumps(card))
    with pytest.raises(
        UserError, match=r"train_images.npy is uint8 \(40, 8, 8, 3\), its card says uint8 \(41, 8, 8, 3\)"
    ):
        load_split(folder, "train")
