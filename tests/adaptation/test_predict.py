"""`dlcv adaptation predict`: any pictures in, one table out, and what it refuses."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from dlcv.adaptation import predict, train
from dlcv.adaptation.cli import app
from dlcv.adaptation.tasks import Task
from dlcv.adaptation.trained import answer, load
from dlcv.errors import UserError
from dlcv.params import load as load_params


@pytest.fixture
def weights(domains: Path, set_params: Any) -> Path:
    set_params({"adaptation.training.steps": 2, "adaptation.training.batch_size": 16})
    return train.run(Task("dann", "svhn-usps", 0), load_params())


def folder_of(path: Path) -> Path:
    """Grey, colour, transparent and 16-bit pictures of several sizes, and what lies beside them."""
    path.mkdir()
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (16, 16), dtype=np.uint8)).save(path / "b grey.png")
    Image.fromarray(rng.integers(0, 256, (28, 28, 3), dtype=np.uint8)).save(path / "a.png")
    Image.fromarray(rng.integers(0, 256, (90, 40, 3), dtype=np.uint8)).save(path / "c,large.jpg")
    Image.fromarray(rng.integers(0, 256, (9, 9, 4), dtype=np.uint8)).save(path / "d.png")
    Image.fromarray(rng.integers(0, 65536, (20, 20)).astype(np.uint16)).save(path / "e.png")
    (path / "val.csv").write_text("image_name,label\n")
    (path / ".DS_Store").write_bytes(b"x")
    return path


def test_a_table_of_every_picture_in_the_order_of_names(weights: Path, tmp_path: Path) -> None:
    pictures, out = folder_of(tmp_path / "in"), tmp_path / "new" / "predictions.csv"
    result = CliRunner().invoke(
        app, ["predict", str(pictures), "--scenario", "svhn-usps", "--out", str(out), "--weights", str(weights)]
    )
    assert result.exit_code == 0, result.output
    rows = list(csv.reader(out.open()))
    assert rows[0] == ["image_name", "label"]
    assert [name for name, _ in rows[1:]] == ["a.png", "b grey.png", "c,large.jpg", "d.png", "e.png"]
    assert all(label in set("0123456789") for _, label in rows[1:])
    network, _ = load(weights)
    expected = answer(network, np.asarray(Image.open(pictures / "a.png"))[None]).digits
    assert int(rows[1][1]) == expected[0]
    # The default is the last method of the scenario's lists: here DANN, from the first seed.
    again = tmp_path / "again.csv"
    CliRunner().invoke(app, ["predict", str(pictures), "--scenario", "svhn-usps", "--out", str(again)])
    assert again.read_bytes() == out.read_bytes()


def test_bad_input_is_named_and_writes_nothing(weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "predictions.csv"
    out.write_text("before")
    pictures = folder_of(tmp_path / "in")

    def refused(message: str, folder: Path = pictures, scenario: str = "svhn-usps", place: Path = out) -> None:
        with pytest.raises(UserError, match=message) as error:
            predict.run(folder, scenario, weights, place)
        assert "\n" not in str(error.value)
        assert out.read_text() == "before"

    refused("there is no folder .*nowhere; give one", tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    refused("empty holds no pictures; give the folder", tmp_path / "empty")
    refused("holds weights of svhn-usps, not of mnistm-usps", scenario="mnistm-usps")
    refused("in is a folder; name a file for the table", place=pictures)
    (pictures / "broken.png").write_bytes((pictures / "a.png").read_bytes()[:200])
    refused("broken.png is truncated or damaged .*; replace it")
    (pictures / "broken.png").write_text("no picture")
    refused("broken.png is not an image; replace it")
    (pictures / "broken.png").unlink()
    (pictures / "notes.pdf").write_text("x")
    refused("notes.pdf is no picture .*; take it out or convert it")
    assert sorted(path.name for path in tmp_path.glob(".*part*")) == []


def test_missing_weights_and_scenarios_are_named(domains: Path, tmp_path: Path) -> None:
    pictures = folder_of(tmp_path / "in")
    for arguments, message in (
        (["--scenario", "svhn-usps"], "weights.json is missing; `dvc repro` trains it"),
        (["--scenario", "svhn-upss"], "no scenario svhn-upss; did you mean svhn-usps?"),
        (["--scenario", "svhn-usps", "--method", "dan"], "no method dan; did you mean dann?"),
    ):
        result = CliRunner().invoke(app, ["predict", str(pictures), "--out", str(tmp_path / "x.csv"), *arguments])
        assert isinstance(result.exception, UserError) and message in str(result.exception)
