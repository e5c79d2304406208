"""Tiny data sets in the layouts that the sources read, and a project whose params.yaml has only the section `data`."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlcv.data.config import Data
from dlcv.runtime import config as params
from dlcv.sources.splits import SourceSet, SourceSplit

PARAMS = """
seed: 0
data:
  source: {source}
  course: {{path: null, sha256: null}}
  folder:
    mnistm: {{path: null, sha256: null}}
    svhn: {{path: null, sha256: null}}
    usps: {{path: null, sha256: null}}
    faces: {{path: null, sha256: null}}
  public:
    faces: celeba
  domains: [mnistm, svhn, usps]
  ddim: []
  digits: {{source: null, train: {train}, val: {val}}}
  faces: {{source: {faces}, train: null, val: null}}
"""

Files = dict[str, bytes]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., params.Params]:
    """Change to an empty project; call the fixture to write and load its params.yaml."""
    root = tmp_path / "project"
    root.mkdir()
    monkeypatch.chdir(root)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.setattr(params, "sections", lambda: {"data": Data})

    def write(
        source: str = "course", train: int | str = "null", val: int | str = "null", faces: str = "null"
    ) -> params.Params:
        Path("params.yaml").write_text(PARAMS.format(source=source, train=train, val=val, faces=faces))
        return params.load()

    write()
    return write


def noise_set(labels: bool = True) -> SourceSet:
    """40 training and 20 validation images of 8 x 8 pixels, with four and two of each digit."""
    rng = np.random.default_rng(0)

    def split(count: int) -> SourceSplit:
        images = rng.integers(256, size=(count, 8, 8, 3), dtype=np.uint8)
        return SourceSplit.from_arrays(images, np.arange(count) % 10 if labels else None)

    return SourceSet(split(40), split(20), "digit" if labels else None, "noise", "a generator")


def png(value: int = 0, size: tuple[int, int] = (28, 28), mode: str = "RGB") -> bytes:
    """An image of noise, different for each value."""
    rng = np.random.default_rng(value)
    image = Image.fromarray(rng.integers(256, size=(size[1], size[0], 3), dtype=np.uint8)).convert(mode)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def table(rows: list[tuple[str, int]], column: str = "label") -> bytes:
    return "".join([f"image_name,{column}\n", *(f"{name},{label}\n" for name, label in rows)]).encode()


def course_files(layout: str = "data", domain: str = "usps") -> Files:
    """The course's layout: 20 training and 10 validation digits, every class in both; 6 and 4 faces."""
    files: Files = {}
    for split, first, count in (("train", 0, 20), ("val", 20, 10)):
        home = f"hw2_data/digits/{domain}"
        folder = f"{home}/{layout if layout == 'data' else split}"
        names = [f"{index:05d}.png" for index in range(first, first + count)]
        files[f"{home}/{split}.csv"] = table([(name, index % 10) for index, name in enumerate(names)])
        files |= {f"{folder}/{name}": png(first + index) for index, name in enumerate(names)}
    for split, count in (("train", 6), ("val", 4)):
        names = [f"{index:05d}.png" for index in range(count)]
        files[f"hw2_data/face/{split}.csv"] = table([(name, index % 2) for index, name in enumerate(names)], "Male")
        files |= {f"hw2_data/face/{split}/{name}": png(index, (64, 64)) for index, name in enumerate(names)}
    return files


def write_folder(path: Path, files: Files) -> Path:
    for name, data in files.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return path


def write_zip(path: Path, files: Files) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path
