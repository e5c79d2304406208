from __future__ import annotations

import errno
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import pytest
from PIL import Image

from dlcv.data.prepared import load_split, read_card
from dlcv.runtime.errors import UserError
from dlcv.sources.splits import SourceSet, SourceSplit
from dlcv.sources.write_prepared import write_prepared

from .conftest import noise_set


def test_the_card_has_counts_mean_and_std(tmp_path: Path) -> None:
    data = noise_set()
    card = write_prepared(tmp_path / "usps", "usps", "sample", 8, data)
    assert card == read_card(tmp_path / "usps")
    images = data.train.read(np.arange(40)) / 255
    train = card["splits"]["train"]
    assert train["count"] == 40 and train["classes"] == {str(digit): 4 for digit in range(10)}
    assert np.allclose(train["mean"], images.mean((0, 1, 2)), atol=1e-6)
    assert np.allclose(train["std"], images.std((0, 1, 2)), atol=1e-6)
    mean = np.asarray(Image.open(tmp_path / "usps/mean.png"))
    assert np.abs(mean - images.mean(0) * 255).max() <= 0.5 + 1e-9


def test_the_same_images_give_the_same_bytes_for_every_chunk_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_prepared(tmp_path / "one", "usps", "sample", 8, noise_set())
    monkeypatch.setattr("dlcv.sources.write_prepared.CHUNK", 7)
    write_prepared(tmp_path / "two", "usps", "sample", 8, noise_set())
    files = sorted(file.name for file in (tmp_path / "one").iterdir())
    assert len(files) == 7
    assert all((tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes() for name in files)


def test_the_hash_depends_on_images_and_labels(tmp_path: Path) -> None:
    data = noise_set()
    hashes = {write_prepared(tmp_path / "a", "usps", "sample", 8, data)["sha256"]}
    images, labels = data.val.read(np.arange(20)).copy(), np.arange(20) % 10
    labels[[0, 1]] = labels[[1, 0]]
    swapped = SourceSet(data.train, SourceSplit.from_arrays(images, labels), "digit", "", "")
    hashes.add(write_prepared(tmp_path / "b", "usps", "sample", 8, swapped)["sha256"])
    images[3, 2, 1, 0] ^= 1
    hashes.add(write_prepared(tmp_path / "c", "usps", "sample", 8, swapped)["sha256"])
    assert len(hashes) == 3


def test_a_set_without_labels_has_no_label_files(tmp_path: Path) -> None:
    card = write_prepared(tmp_path / "faces", "faces", "folder", 8, noise_set(labels=False))
    assert card["label"] is None and card["splits"]["train"]["classes"] is None
    assert load_split(tmp_path / "faces", "train").labels is None
    assert not list((tmp_path / "faces").glob("*labels*"))


def test_an_interrupted_writer_leaves_nothing(tmp_path: Path) -> None:
    def fail(indices: np.ndarray) -> np.ndarray:
        raise UserError("0.png is truncated")

    data = noise_set()
    broken = SourceSet(data.train, SourceSplit(20, np.arange(20) % 10, fail), "digit", "", "")
    with pytest.raises(UserError):
        write_prepared(tmp_path / "data/usps", "usps", "sample", 8, broken)
    assert list((tmp_path / "data").iterdir()) == []


def test_a_full_disk_raises_an_oserror_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, mode: str) -> BinaryIO:
        return cast(BinaryIO, open("/dev/full", mode, buffering=0))

    monkeypatch.setattr("dlcv.sources.write_prepared.open", full, raising=False)
    with pytest.raises(OSError) as caught:
        write_prepared(tmp_path / "data/usps", "usps", "sample", 8, noise_set())
    assert caught.value.errno == errno.ENOSPC
    assert list((tmp_path / "data").iterdir()) == []
