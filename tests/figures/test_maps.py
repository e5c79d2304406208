"""Points with their images, beside the figure of a map."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from dlcv.figures import maps
from dlcv.runtime.files import read_json


def test_every_point_has_its_image_and_its_groups(tmp_path: Path) -> None:
    images = np.zeros((50, 64, 48, 3), np.uint8)
    images[41] = 90
    points = np.random.default_rng(0).normal(size=(50, 2))
    digits = np.arange(50) % 10
    maps.write(tmp_path / "map.png", {"a": points}, images, {"digit": (list("0123456789"), digits)}, {"a": digits})
    about = read_json(tmp_path / "map.json")
    assert about["image"] == {"height": 32, "width": 24, "columns": 40}
    assert about["groups"]["digit"]["of"] == about["predictions"]["a"] == digits.tolist()
    scaled = np.array(about["maps"]["a"])
    assert scaled.min(axis=0).tolist() == [0, 0] and scaled.max(axis=0).tolist() == [1, 1]
    with Image.open(tmp_path / "map-images.png") as sheet:
        assert sheet.size == (40 * 24, 2 * 32)
        left, top = 41 % 40 * 24, 41 // 40 * 32
        assert np.asarray(sheet.crop((left, top, left + 24, top + 32))).min() == 90
