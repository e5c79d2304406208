"""Every chart is a PNG file, has the same bytes for the same values and depends on the values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlcv.figures import charts

pytestmark = pytest.mark.slow


def scatter(path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups = np.arange(30) % 2
    maps = {"source": rng.normal(size=(30, 2)), "target": rng.normal(size=(30, 2))}
    charts.scatter(path, maps, groups, ["mnistm", "usps"], "Features", "domain")


def confusion(path: Path, seed: int) -> None:
    counts = np.random.default_rng(seed).integers(1, 50, size=(10, 10))
    charts.confusion(path, {"usps": counts}, "Confusion matrix")


def curves(path: Path, seed: int) -> None:
    table = path.with_suffix(".csv")
    table.write_text(f"step,loss,val_accuracy\n0,2.5,0.1\n10,1.5,0.{seed}5\n")
    charts.curves(path, table, "Training", labels={"loss": "the loss"})


def lines(path: Path, seed: int) -> None:
    charts.lines(path, {"ddim": {1: 9.0, 10: 3.0 + seed}}, "steps", "FID", "FID by steps")


@pytest.mark.slow
@pytest.mark.parametrize("draw", [scatter, confusion, curves, lines])
def test_the_same_values_give_the_same_bytes(tmp_path: Path, draw: Callable[[Path, int], None]) -> None:
    for name, seed in (("one", 1), ("same", 1), ("other", 2)):
        draw(tmp_path / f"{name}.png", seed)
    one, same, other = ((tmp_path / f"{name}.png").read_bytes() for name in ("one", "same", "other"))
    assert one == same != other
    with Image.open(tmp_path / "one.png") as image:
        assert image.format == "PNG" and "Software" not in image.info


def test_curves_are_in_the_panel_of_their_ending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib.pyplot as plt

    monkeypatch.setattr(plt, "close", lambda figure: None)
    curves(tmp_path / "curve.png", 1)
    figure = plt.gcf()
    monkeypatch.undo()
    legends = [[text.get_text() for text in axis.get_legend().get_texts()] for axis in figure.axes]  # type: ignore[union-attr]
    plt.close(figure)
    assert legends == [["the loss"], ["val accuracy"]]
