"""Images, and an extractor that costs nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from dlcv.evaluation import bounds
from dlcv.evaluation.config import Evaluation, InputSize
from dlcv.evaluation.extractors import dlib_face
from dlcv.evaluation.extractors import extractor as extractors
from dlcv.evaluation.extractors.extractor import Extractor
from dlcv.evaluation.reference import Reference, of_images
from dlcv.sources import sample
from dlcv.sources.write_prepared import write_prepared


@pytest.fixture(scope="session")
def faces() -> tuple[np.ndarray, np.ndarray]:
    """ORL faces, uint8 N x 64 x 64 x 3: 320 of training and 80 of validation."""
    raw = sample.faces(np.random.default_rng(0))
    rng = np.random.default_rng(1)
    train, val = (split.read(rng.permutation(split.count)) for split in (raw.train, raw.val))
    return train, val


@pytest.fixture
def section() -> Evaluation:
    return Evaluation(
        extractor="efficientnet_lite0",
        input_size=InputSize(faces=224, digits=112),
        inception_weights=None,
        images=60,
        neighbours=3,
        kid_subsets=10,
        kid_subset_size=40,
        jackknife_groups=10,
        dlib_face_images=0,
    )


class _Blocks(nn.Module):
    """Mean and deviation of the 8 x 8 blocks of an image, instead of a network's features."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1), requires_grad=False)  # its device is the network's

    def forward(self, pixels: Tensor) -> Tensor:
        pixels = pixels * self.weight / 255
        means, squares = (F.avg_pool2d(values, 28).flatten(1) for values in (pixels, pixels**2))
        return means + 4 * (squares - means**2).clamp(min=0).sqrt()


@pytest.fixture(scope="session")
def extractor() -> Extractor:
    return Extractor("efficientnet_lite0", 192, 224, "as the network", "0" * 64, _Blocks().eval())


class Halves:
    """Means of the left and right half of each row of 16 pixels, in place of dlib's network; costs nothing."""

    name = "dlib_face"
    score = "frechet_dlib_face"

    def protocol(self) -> dict[str, Any]:
        return {"name": self.name, "score": self.score, "weights_sha256": "0" * 64, "features": 8, "resize": "none"}

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return (
            images.reshape(len(images), 4, -1, 2, 32 * 3).mean((2, 4), dtype=np.float64).reshape(len(images), 8) / 255
        )


@pytest.fixture
def halves(monkeypatch: pytest.MonkeyPatch) -> Halves:
    """In place of dlib's network, wherever it is loaded."""
    network = Halves()
    monkeypatch.setattr(dlib_face, "load_dlib_face", lambda: network)
    monkeypatch.setattr(bounds, "load_dlib_face", lambda: network)
    return network


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, np.ndarray], Path]:
    """Write images as PNG files into a folder of that name."""

    def write_(name: str, images: np.ndarray) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for index, image in enumerate(images):
            Image.fromarray(image).save(folder / f"{index:05}.png")
        return folder

    return write_


@pytest.fixture(scope="session")
def reference(faces: tuple[np.ndarray, np.ndarray], extractor: Extractor) -> Reference:
    train, val = faces
    return of_images("faces", train, val, extractor)


@pytest.fixture
def prepared(
    study: Path, set_params: Callable[[dict[str, Any]], None], extractor: Extractor, halves: Any, monkeypatch: Any
) -> Path:
    """A study with the ORL faces prepared and light extractors."""
    write_prepared(Path("data/faces"), "faces", "sample", 64, sample.faces(np.random.default_rng(0)))
    set_params({"evaluation.images": 50, "evaluation.kid_subset_size": 20, "evaluation.dlib_face_images": 300})
    monkeypatch.setattr(bounds, "load_extractor", lambda *_: extractor)
    monkeypatch.setattr(extractors, "load_extractor", lambda *_: extractor)
    return study
