"""Small prepared faces with an attribute, settings of a small network, and a fast extractor."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dlcv.evaluation.extractors.extractor import Extractor
from dlcv.runtime.config import Params, load
from dlcv.runtime.files import write_json
from dlcv.vae.config import Training, Vae
from dlcv.vae.networks import Autoencoder

REPOSITORY = Path(__file__).parent.parent.parent
COUNTS = {"train": 40, "val": 24}
STEPS = 12
NARROW = 1 / 32
LATENT = 16
SMALL: dict[str, Any] = {
    "vae.width": NARROW,
    "vae.latent": LATENT,
    "vae.samples": 30,
    "vae.training.steps": STEPS,
    "vae.training.batch_size": 8,
    "vae.training.snapshots": 3,
    "vae.tsne.images": 20,
    "vae.tsne.perplexity": 4,
    "evaluation.images": 20,
    "evaluation.kid_subsets": 3,
    "evaluation.kid_subset_size": 10,
}


@cache
def shipped() -> Params:
    """The repository's own params.yaml, read once."""
    return load(REPOSITORY / "params.yaml")


def training(**changes: Any) -> Training:
    """The shipped settings with a few changes."""
    return Training(**{**shipped()[Vae].training.model_dump(), **changes})


def network(seed: int = 0, width: float = NARROW, latent: int = LATENT) -> Autoencoder:
    """A random network, loaded as from a folder, whose images differ."""
    torch.manual_seed(seed)
    made = Autoencoder(width, latent)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(1.5)
        made.train()
        for _ in range(20):
            made(torch.rand(16, 3, 64, 64) * 2 - 1, torch.randn(16, latent))
    return made.eval().to(memory_format=torch.channels_last)


def write_faces(study: Path, label: str | None = "Male") -> Path:
    """A disc on a dark ground, bright if the attribute is 1 and darker if it is 0; four images of each person."""
    folder = study / "data" / "faces"
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:64, :64]
    first = 0
    for split, count in COUNTS.items():
        images = rng.integers(0, 40, size=(count, 64, 64, 3), dtype=np.uint8)
        labels = np.arange(count) % 2 if label != "person" else first + np.arange(count) // 2 % (count // 8)
        first += count
        for image, value in zip(images, labels, strict=True):
            y, x = rng.integers(28, 36, size=2)
            image[(rows - y) ** 2 + (columns - x) ** 2 < 400] = rng.integers(60, 80) + 150 * (int(value) % 2)
        np.save(folder / f"{split}_images.npy", images)
        if label:
            np.save(folder / f"{split}_labels.npy", labels.astype(np.int64))
    splits = {split: {"count": count, "classes": {}, "sha256": "b" * 64} for split, count in COUNTS.items()}
    card = {"name": "faces", "source": "test", "played_by": "discs", "label": label, "size": 64, "provenance": "made"}
    write_json(folder / "card.json", {**card, "splits": splits, "sha256": "a" * 64})
    return study


@pytest.fixture
def faces(study: Path) -> Path:
    """The study with prepared faces."""
    return write_faces(study)


class _Blocks(nn.Module):
    """Means of the blocks of an image, instead of a network's features."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1), requires_grad=False)  # its device is the network's

    def forward(self, pixels: Tensor) -> Tensor:
        return torch.nn.functional.avg_pool2d(pixels * self.weight, 56).flatten(1)


@pytest.fixture
def extractor() -> Extractor:
    return Extractor("efficientnet_lite0", 48, 224, "as the network", "0" * 64, _Blocks().eval())
