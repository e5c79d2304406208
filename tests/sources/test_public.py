"""Small files in the formats of the public data sets, in the place of the downloaded files."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io  # type: ignore[import-untyped]

from dlcv.data.config import Public
from dlcv.data.prepared import load_split
from dlcv.runtime import config as params
from dlcv.runtime.errors import UserError
from dlcv.sources import public, public_formats
from dlcv.sources.download import Remote
from dlcv.sources.prepare import prepare_digits

from .conftest import png, write_zip

Project = Callable[..., params.Params]
LABELS = np.arange(20) % 10


def by_hand(remote: Remote, content: bytes) -> Remote:
    """Write `content` as the downloaded file of `remote`; returns `remote` with its hash."""
    path = Path("data/raw") / remote.name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return replace(remote, hash=f"sha256:{hashlib.sha256(content).hexdigest()}")


def idx(array: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, dtype=">u4").tobytes()
    return gzip.compress(header + array.astype(np.uint8).tobytes())


def jpeg(value: int, size: tuple[int, int]) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", size, (value, value, value)).save(buffer, format="JPEG")
    return buffer.getvalue()


def tgz(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def test_svhn_label_10_is_the_digit_0(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    values = project("public")
    images = np.zeros((32, 32, 3, 20), dtype=np.uint8)
    images += (LABELS * 10).astype(np.uint8)
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, {"X": images, "y": np.where(LABELS == 0, 10, LABELS)[:, None]})
    fakes = {split: by_hand(remote, buffer.getvalue()) for split, remote in public.SVHN.items()}
    monkeypatch.setattr(public, "SVHN", fakes)
    card = prepare_digits("svhn", values)
    split = load_split(Path("data/digits/svhn"), "train")
    assert split.images.shape == (20, 28, 28, 3)
    assert np.array_equal(split.images[:, 0, 0, 0], np.asarray(split.labels) * 10)
    assert f"train_32x32.mat (SHA-256 {fakes['train'].hash[7:]})" in card["provenance"]


def test_usps_reads_libsvm_lines(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    values = project("public")
    grey = np.linspace(-1, 1, 256)
    cells = " ".join(f"{index + 1}:{value:.6f}" for index, value in enumerate(grey))
    content = bz2.compress("\n".join(f"{label + 1} {cells}" for label in LABELS).encode())
    fakes = {split: by_hand(remote, content) for split, remote in public.USPS.items()}
    monkeypatch.setattr(public, "USPS", fakes)
    images, labels = public_formats.read_libsvm(Path("data/raw") / fakes["train"].name)
    assert labels.tolist() == LABELS.tolist()
    assert images[0].reshape(-1)[[0, 255]].tolist() == [0, 255] and images.shape == (20, 16, 16)
    assert prepare_digits("usps", values)["splits"]["val"]["count"] == 20


def test_mnistm_blends_mnist_with_bsds500(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    values = project("public")
    strokes = np.zeros((20, 28, 28), dtype=np.uint8)
    strokes[:, 14, 14] = 255
    files = tuple(
        by_hand(remote, content)
        for remote, content in zip(public.MNIST["train"], (idx(strokes), idx(LABELS)), strict=True)
    )
    monkeypatch.setattr(public, "MNIST", {"train": files, "val": files})
    folder = "BSR/BSDS500/data/images"
    photographs = {f"{folder}/train/1.jpg": jpeg(40, (60, 50)), f"{folder}/test/2.jpg": jpeg(200, (60, 50))}
    archive = by_hand(public.BSDS500, tgz({**photographs, f"{folder}/train/Thumbs.db": b"x"}))
    monkeypatch.setattr(public, "BSDS500", archive)
    prepare_digits("mnistm", values)
    for split, background in (("train", 40), ("val", 200)):
        images = load_split(Path("data/digits/mnistm"), "train" if split == "train" else "val").images
        assert (images[:, 0, 0] == background).all() and (images[:, 14, 14] == 255 - background).all()


def test_celeba_has_its_own_partition_and_the_label_male(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project("public")
    names = [f"{index:06d}.jpg" for index in range(1, 7)]
    images = write_zip(Path("x.zip"), {f"img_align_celeba/{n}": jpeg(i * 20, (178, 218)) for i, n in enumerate(names)})
    partition = "".join(f"{name} {code}\n" for name, code in zip(names, (0, 0, 1, 2, 0, 1), strict=True))
    rows = "".join(f"{name} {'-1' if i % 2 else ' 1'} -1\n" for i, name in enumerate(names))
    content = {
        "images": images.read_bytes(),
        "partition": partition.encode(),
        "attributes": f"6\nMale Young\n{rows}".encode(),
    }
    fakes = {name: by_hand(remote, content[name]) for name, remote in public.CELEBA.items()}
    monkeypatch.setattr(public, "CELEBA", fakes)
    source = public.faces(Public(faces="celeba"), np.random.default_rng(0))
    assert source.train.labels is not None and source.val.labels is not None
    assert source.train.labels.tolist() == [1, 0, 1] and source.val.labels.tolist() == [1, 0]
    assert source.train.read(np.array([2]))[0, 0, 0].tolist() == [80, 80, 80]


def test_lfw_splits_by_persons(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project("public")
    faces = {f"lfw_funneled/P_{p}/P_{p}_{n:04d}.jpg": jpeg(p * 20, (250, 250)) for p in range(6) for n in range(2)}
    archive = by_hand(public.LFW, tgz(faces))
    monkeypatch.setattr(public, "LFW", archive)
    source = public.faces(Public(faces="lfw"), np.random.default_rng(0))
    assert (source.train.count, source.val.count, source.label) == (10, 2, None)
    train, val = (split.read(np.arange(split.count))[:, 0, 0, 0] for split in (source.train, source.val))
    assert not set(train.tolist()) & set(val.tolist())


@pytest.mark.parametrize(
    ("reader", "arguments"),
    [
        ("read_idx", ()),
        ("read_mat", ()),
        ("read_libsvm", ()),
        ("read_bsds500", ("train",)),
        ("read_celeba_list", ("Male",)),
        ("read_lfw", (64,)),
    ],
)
def test_a_file_of_another_format_is_refused(tmp_path: Path, reader: str, arguments: tuple[Any, ...]) -> None:
    path = tmp_path / "file.bin"
    path.write_bytes(png())
    with pytest.raises(UserError, match=r"file.bin is not .* \(.*\); delete it and run again$") as caught:
        getattr(public_formats, reader)(path, *arguments)
    assert "\n" not in str(caught.value)
