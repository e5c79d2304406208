"""Small prepared domains, so that a training takes a second."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from dlcv.adaptation.methods.common import Backward
from dlcv.runtime.files import write_json

COUNTS = {"train": 60, "val": 40}


def write_domain(name: str, shift: int) -> None:
    """Digits as bright bars at the height of their label, on noise; `shift` sets the brightness."""
    folder = Path("data/digits") / name
    folder.mkdir(parents=True)
    rng = np.random.default_rng(shift)
    for split, count in COUNTS.items():
        labels = np.arange(count) % 10
        images = rng.integers(0, 60, size=(count, 28, 28, 3), dtype=np.uint8)
        for image, label in zip(images, labels, strict=True):
            image[4 + 2 * label : 7 + 2 * label] = 120 + shift
        np.save(folder / f"{split}_images.npy", images)
        np.save(folder / f"{split}_labels.npy", labels.astype(np.int64))
    splits = {
        split: {"count": count, "classes": {str(d): count // 10 for d in range(10)}} for split, count in COUNTS.items()
    }
    card = {"name": name, "source": "test", "played_by": f"bars of brightness {shift}", "label": "digit", "size": 28}
    write_json(folder / "card.json", {**card, "provenance": "made", "splits": splits, "sha256": f"{shift:064x}"})


@pytest.fixture
def domains(study: Path) -> Path:
    """The study with all three domains prepared."""
    for shift, name in enumerate(("mnistm", "svhn", "usps")):
        write_domain(name, 40 * shift)
    return study


def batch(labels_of_target: int = 0) -> dict[str, tuple[Tensor, Tensor]]:
    """A batch of noise from two domains, as a method's step takes it."""
    generator = torch.Generator().manual_seed(0)
    source, target = (torch.rand(16, 3, 28, 28, generator=generator) * 2 - 1 for _ in range(2))
    return {"source": (source, torch.arange(16) % 10), "target": (target * 0.2, torch.full((16,), labels_of_target))}


def recording(losses: list[Tensor]) -> Backward:
    """A backward pass, as a method's step takes it, that appends each loss to `losses`."""

    def backward(loss: Tensor) -> None:
        losses.append(loss.detach())
        loss.backward()

    return backward
