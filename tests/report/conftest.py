"""A study with all that the report reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from dlcv.runtime.files import write_json
from tests.report.made_digits import make_adaptation, make_diffusion
from tests.report.made_faces import make_ddim, make_gan, make_vae


@pytest.fixture
def full(study: Path) -> Path:
    """All that the report reads, with gains of +0.10, +0.01, -0.10 and +0.10 in the four scenarios."""
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
