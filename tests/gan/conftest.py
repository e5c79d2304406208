"""Small prepared faces, and settings of small models."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlcv.gan.config import Gan, Settings
from dlcv.runtime.config import Params, load
from dlcv.runtime.files import write_json

REPOSITORY = Path(__file__).parent.parent.parent
COUNTS = {"train": 32, "val": 8}
STEPS = 12
NARROW = 1 / 32
SMALL: dict[str, Any] = {"gan.samples": 40, "gan.base.batch_size": 4, "gan.base.snapshots": 3}


@cache
def shipped() -> Params:
    """The repository's own params.yaml, read once."""
    return load(REPOSITORY / "params.yaml")


def settings(model: str = "dcgan", **changes: Any) -> Settings:
    """The shipped settings of `model`, narrow and with a few changes."""
    values = shipped()[Gan].settings[model].model_dump()
    return Settings(**{**values, "generator_width": NARROW, "discriminator_width": NARROW, **changes})


def small(model: str, **changes: Any) -> dict[str, Any]:
    """Values of params.yaml with which `model` trains in a second."""
    values = {"generator_width": NARROW, "discriminator_width": NARROW, "steps": STEPS, **changes}
    return SMALL | {f"gan.{model}.{key}": value for key, value in values.items()}


@pytest.fixture
def faces(study: Path) -> Path:
    """The study with prepared faces: bright discs of random colours and positions on a dark ground."""
    folder = study / "data" / "faces"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:64, :64]
    for split, count in COUNTS.items():
        images = rng.integers(0, 60, size=(count, 64, 64, 3), dtype=np.uint8)
        for image in images:
            y, x = rng.integers(24, 40, size=2)
            image[(rows - y) ** 2 + (columns - x) ** 2 < 400] = rng.integers(120, 256, size=3)
        np.save(folder / f"{split}_images.npy", images)
    splits = {split: {"count": count, "classes": {}, "sha256": "b" * 64} for split, count in COUNTS.items()}
    card = {"name": "faces", "source": "test", "played_by": "discs", "label": None, "size": 64, "provenance": "made"}
    write_json(folder / "card.json", {**card, "splits": splits, "sha256": "a" * 64})
    return study
