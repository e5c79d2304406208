"""A drawn digit as classifiers take it, and the table of what they read."""

from __future__ import annotations

import base64
import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlcv.play import reading
from dlcv.play.shelf import Shelf
from dlcv.runtime.config import load
from dlcv.runtime.errors import UserError

LABELS = [
    "source-only",
    "trained on target",
    "DANN",
    "source-only, as Generate To Adapt",
    "Generate To Adapt",
    "source-only, as self-training",
    "self-training",
]


def bar() -> np.ndarray:
    """A vertical bar at the left of a canvas: 40 x 100 pixels."""
    coverage = np.zeros((280, 280), dtype=np.uint8)
    coverage[150:250, 10:50] = 255
    return coverage


def test_a_drawing_is_centred_and_has_its_size_and_colours() -> None:
    image = reading.from_drawing(bar(), "#ff8000", "#0000ff", 20)
    assert (image.shape, image.dtype) == ((28, 28, 3), np.uint8)
    ink = (image == (255, 128, 0)).all(2)
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    assert (rows[0], rows[-1], columns[0], columns[-1]) == (4, 23, 10, 17)
    assert (image[~ink] == (0, 0, 255)).all()
    whole = reading.from_drawing(bar(), "white", "rgba(0.4, 0, 0, 1)", 28)
    assert whole[0, 14].tolist() == whole[27, 14].tolist() == [255, 255, 255]
    assert whole[0, 0].tolist() == [0, 0, 0]


def test_a_thin_stroke_does_not_vanish() -> None:
    coverage = np.zeros((280, 280), dtype=np.uint8)
    coverage[20:260, 137:143] = 255  # 6 of 280 pixels wide: half a pixel of 20
    coverage[20:26, 20:260] = 255
    image = reading.from_drawing(coverage, "#ffffff", "#000000", 20)
    assert (image.max(1)[5:23] > 60).all()


def test_bad_drawings_are_named() -> None:
    with pytest.raises(UserError, match="nothing is drawn"):
        reading.from_drawing(np.zeros((280, 280), np.uint8), "#ffffff", "#000000", 20)
    with pytest.raises(UserError, match="blau is no colour"):
        reading.from_drawing(bar(), "blau", "#000000", 20)
    with pytest.raises(UserError, match="size of the digit is 29; give a whole number from 4 to 28"):
        reading.from_drawing(bar(), "#ffffff", "#000000", 29)
    for url in ("data:image/png;base64,***", "data:image/png;base64,QUJD", "nothing"):
        with pytest.raises(UserError, match="the drawing is not an image"):
            reading.coverage_of(url)


def test_strokes_on_a_transparent_canvas_are_ink() -> None:
    strokes = np.zeros((280, 280, 4), dtype=np.uint8)
    strokes[..., 3] = bar()
    file = io.BytesIO()
    Image.fromarray(strokes).save(file, "PNG")
    url = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
    np.testing.assert_array_equal(reading.coverage_of(url), bar())


def test_an_image_file_is_stretched(tmp_path: Path) -> None:
    Image.new("L", (60, 30), 90).save(tmp_path / "digit.png")
    image = reading.from_file(tmp_path / "digit.png")
    assert image.shape == (28, 28, 3) and (image == 90).all()
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(UserError, match="text.png is not an image"):
        reading.from_file(tmp_path / "text.png")


def test_the_table_has_every_method_of_every_scenario(shelf: Shelf) -> None:
    image = reading.from_drawing(bar(), "#ffffff", "#000000", 20)
    table = reading.read(shelf, image)
    assert list(table.rows) == LABELS
    section = shelf.params.raw["adaptation"]
    assert table.scenarios == list(section["scenarios"])
    assert set(table.rows["DANN"]) == set(section["methods"]["dann"])
    assert set(table.rows["self-training"]) == set(section["methods"]["selftraining"])
    # A source-only training is of the source of a scenario, the ceiling of its target.
    assert table.rows["source-only"]["usps-mnistm"].training == "adaptation/usps/supervised-0"
    assert table.rows["trained on target"]["usps-mnistm"].training == "adaptation/mnistm/ceiling-0"
    assert table.rows["source-only"]["usps-mnistm"].probabilities is None  # has no weights here
    for label, name in (("DANN", "dann"), ("self-training", "selftraining")):
        found = table.rows[label]["usps-mnistm"]
        wanted = shelf.open(f"adaptation/usps-mnistm/{name}-0").probabilities(image[None])[0]
        assert found.probabilities is not None
        np.testing.assert_array_equal(found.probabilities, wanted)
        assert (found.digit, found.probability) == (wanted.argmax(), wanted.max())
    judge = table.judges["judge"]
    assert judge.digit == shelf.open("evaluation/judge/0").predict(image[None])[0]


def test_the_html_has_digits_and_gaps(shelf: Shelf) -> None:
    table = reading.read(shelf, reading.from_drawing(bar(), "#ffffff", "#000000", 20))
    html, dann = table.html(), table.rows["DANN"]["usps-mnistm"]
    assert f"<b>{dann.digit}</b> <span>{100 * dann.probability:.0f} %</span>" in html
    assert html.count("<b>") == 3  # DANN, self-training and the judge
    assert html.count("no weights") == len([one for row in table.rows.values() for one in row.values()]) - 2
    assert "usps → mnistm" in html


def test_several_seeds_are_several_rows(trained: Path, set_params) -> None:
    set_params({"adaptation.seeds": [0, 1], "adaptation.comparison.seeds": [0], "judge.seeds": [0, 1]})
    shutil.copytree("out/evaluation/judge/0", "out/evaluation/judge/1")
    table = reading.read(Shelf(load()), reading.from_drawing(bar(), "#ffffff", "#000000", 20))
    assert list(table.rows)[:2] == ["source-only, seed 0", "source-only, seed 1"]
    assert list(table.judges) == ["judge, seed 0", "judge, seed 1"]
    assert table.rows["DANN, seed 1"]["usps-mnistm"].training == "adaptation/usps-mnistm/dann-1"
