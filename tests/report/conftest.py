"""A study with all that the report reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from dlcv.runtime.files import write_json
from tests.report.made_digits import make_adaptation, make_diffusion
from tests.report.made_faces import make_ddim, make_gan, make_vae


@pytest.fixture
def full(study: Path, set_params: Callable[[dict[str, Any]], None]) -> Path:
    """All that the report reads, with gains of +0.10, +0.01, -0.10 and +0.10 in the four scenarios.

    GANs, and the methods of adaptation but Generate To Adapt, have three trainings.
    """
    set_params({"gan.seeds": [0, 1, 2]})
    for folder in ("data/digits/mnistm", "data/digits/svhn", "data/digits/usps", "data/faces"):
        (study / folder).mkdir(parents=True)
        splits = {split: {"count": 1234, "classes": {"0": 1234}} for split in ("train", "val")}
        card = {"played_by": f"a stand-in for {folder}", "provenance": "made", "label": "digit", "splits": splits}
        write_json(study / folder / "card.json", {**card, "sha256": "c" * 64})
        Image.new("RGB", (8, 8)).save(study / folder / "contact.png")
    make_adaptation(study)
    make_gan(study)
    make_vae(study)
    make_ddim(study)
    make_diffusion(study)
    return study
