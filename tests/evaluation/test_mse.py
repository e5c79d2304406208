"""`dlcv evaluate mse`: values by hand, and what cannot be compared."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from dlcv.evaluation.cli import app
from dlcv.evaluation.mse import compare
from dlcv.runtime.errors import UserError


def write(folder: Path, images: dict[str, np.ndarray]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, image in images.items():
        Image.fromarray(image).save(folder / name)
    return folder


def flat(value: int, size: int = 4) -> np.ndarray:
    return np.full((size, size, 3), value, dtype=np.uint8)


def test_values_are_those_by_hand_in_both_directions(tmp_path: Path) -> None:
    changed = flat(100)
    changed[0, 0] = (100, 103, 96)  # 9 + 16 over 48 values
    ours = write(tmp_path / "ours", {"00.png": flat(0), "01.png": flat(100), "02.png": flat(7)})
    theirs = write(tmp_path / "theirs", {"02.png": flat(7), "01.png": changed, "00.png": flat(255)})
    expected = {"00.png": 65025.0, "01.png": 25 / 48, "02.png": 0.0}
    assert compare(ours, theirs) == pytest.approx(expected) == compare(theirs, ours)
    printed = CliRunner().invoke(app, ["mse", str(ours), "--reference", str(theirs)]).stdout.splitlines()
    assert [line.split() for line in printed] == [
        ["00.png", "65025.0000"],
        ["01.png", "0.5208"],
        ["02.png", "0.0000"],
        ["overall", "21675.1736"],
    ]
    result = json.loads(CliRunner().invoke(app, ["mse", str(ours), "--reference", str(theirs), "--json"]).stdout)
    assert result["images"] == pytest.approx(expected) and result["overall"] == pytest.approx(21675.17361)


def test_what_cannot_be_compared_is_refused_by_name(tmp_path: Path) -> None:
    ours = write(tmp_path / "ours", {"00.png": flat(0), "01.png": flat(0), "02.png": flat(0)})
    theirs = write(tmp_path / "theirs", {"00.png": flat(0)})
    with pytest.raises(UserError, match=r"ours/01.png and 1 more has no counterpart in .*theirs; the names"):
        compare(ours, theirs)
    with pytest.raises(UserError, match=r"ours/01.png and 1 more has no counterpart in .*theirs; the names"):
        compare(theirs, ours)
    large = write(tmp_path / "large", {f"0{index}.png": flat(0, 8) for index in range(3)})
    with pytest.raises(UserError, match=r"ours has images of 4 x 4 pixels and .*large of 8 x 8; give one size"):
        compare(ours, large)
    with pytest.raises(UserError, match="there is no folder none; give one with PNG images"):
        compare(ours, Path("none"))
