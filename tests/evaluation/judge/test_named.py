"""`dlcv evaluate digits`: the digit in the name, and what the judge reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlcv.evaluation.judge import named
from dlcv.runtime.errors import UserError


class Judge:
    """Reads the brightness of an image as its digit."""

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return images[:, 0, 0, 0].astype(np.int64)


def test_the_table_has_a_line_for_each_digit_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named, "load_judge", lambda folder: Judge())
    for name, read in {"3_001": 3, "3_002": 5, "7_001": 7}.items():
        Image.fromarray(np.full((28, 28, 3), read, np.uint8)).save(tmp_path / f"{name}.png")
    scores = named.score(tmp_path, Path("judge"))
    assert scores["digit_accuracy"]["accuracy"] == pytest.approx(2 / 3)
    lines = named.table(scores).splitlines()
    assert [line.split()[:3] for line in lines[1:]] == [
        ["3", "2", "0.5000"],
        ["7", "1", "1.0000"],
        ["all", "3", "0.6667"],
    ]
    (tmp_path / "seven.png").write_bytes((tmp_path / "7_001.png").read_bytes())
    with pytest.raises(UserError, match="seven.png does not say which digit it shows"):
        named.score(tmp_path, Path("judge"))
