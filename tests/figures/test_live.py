"""What a page needs to make figures live: numbers of charts, places of images, points of maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from torch import nn

from dlcv.figures import charts, grids, live
from dlcv.figures.prints import write_prints
from dlcv.runtime.files import read_json


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def cut(path: Path, row: int, column: int) -> np.ndarray:
    place, sheet = read_json(path.with_suffix(".json")), Image.open(path)
    left, top = place["left"] + column * place["step_x"], place["top"] + row * place["step_y"]
    return np.asarray(sheet)[top : top + place["height"], left : left + place["width"]]


def test_the_places_of_both_grids_cut_out_their_images(tmp_path: Path) -> None:
    images = noise(2, 3, 8, 8, 3)
    rows, columns = ["first", "a longer label"], ["x", "y", "z"]
    sheets = {
        "plain.png": grids.labelled_rows(list(images), rows, "a title", scale=2),
        "untitled.png": grids.labelled_rows(list(images), ["", ""], scale=3),
        "captioned.png": grids.captioned(list(images), rows, [["a"] * 3] * 2, columns, scale=2),
        "headers.png": grids.captioned(list(images), rows, headers=columns, scale=2),
    }
    for name, sheet in sheets.items():
        live.tiles(tmp_path / name, sheet, rows, columns, "columns")
        scale = read_json((tmp_path / name).with_suffix(".json"))["width"] // 8
        for row, column in np.ndindex(2, 3):
            expected = images[row, column].repeat(scale, 0).repeat(scale, 1)
            assert (cut(tmp_path / name, row, column) == expected).all(), (name, row, column)


def test_a_chart_has_the_numbers_of_its_table(tmp_path: Path) -> None:
    table = pd.DataFrame({"step": [1, 2], "loss": [0.5, 0.123456789], "d_real": [0.7, np.nan]})
    table.to_csv(tmp_path / "curve.csv", index=False)
    charts.curves(tmp_path / "curve.png", tmp_path / "curve.csv", "t", right=("d_real",), labels={"d_real": "D(x)"})
    chart = read_json(tmp_path / "curve.json")
    assert [panel["lines"] for panel in chart["panels"]] == [
        [{"name": "loss", "x": [1, 2], "y": [0.5, 0.123457]}],
        [{"name": "D(x)", "x": [1], "y": [0.7]}],  # what is not finite has no point
    ]
    charts.lines(tmp_path / "lines.png", {"eta 0": {10: 3.0, 20: 2.0}}, "steps", "distance", "t")
    assert read_json(tmp_path / "lines.json")["panels"][0] == {
        "y": "distance",
        "log": False,
        "lines": [{"name": "eta 0", "x": [10, 20], "y": [3.0, 2.0]}],
    }


def test_a_map_has_a_thumbnail_for_each_point(tmp_path: Path) -> None:
    images = np.stack([np.full((8, 8, 3), value, np.uint8) for value in range(0, 200, 5)])
    points = {"a": np.arange(80.0).reshape(40, 2)}
    labels = np.arange(40) % 2
    live.points(tmp_path / "map.png", points, images, {"digit": (labels, ["0", "1"])}, {"a": 1 - labels})
    written = read_json(tmp_path / "map.json")
    (panel,) = written["panels"]
    assert panel["x"][:2] == [0.0, 2.0] and panel["y"][:2] == [1.0, 3.0] and panel["predicted"][:3] == [1, 0, 1]
    assert written["groups"] == {"digit": {"of": labels.tolist(), "names": ["0", "1"]}}
    side, columns = written["thumbnails"]["side"], written["thumbnails"]["columns"]
    sheet = np.asarray(Image.open(tmp_path / written["thumbnails"]["file"]), dtype=float)
    for index in (0, 31, 32, 39):
        top, left = index // columns * side, index % columns * side
        assert abs(sheet[top : top + side, left : left + side].mean() - 5 * index) < 4  # WebP is not exact


def test_prints_have_every_setting_of_a_layer(tmp_path: Path) -> None:
    write_prints(tmp_path, {"as trained": {"D": nn.Sequential(nn.Conv2d(3, 4, 5, stride=2, padding=2, bias=False))}})
    part = read_json(tmp_path / "architecture.json")["as trained"]["D"]
    assert part["parameters"] == 300
    assert "Conv2d(3, 4, kernel_size=(5, 5), stride=(2, 2), padding=(2, 2), bias=False)" in part["text"]
