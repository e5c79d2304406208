"""`dlcv adaptation predict`: images of any kind in, one table out, and what it refuses."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dlcv.adaptation import predict, train
from dlcv.adaptation.predict import load
from dlcv.adaptation.trainings import Task
from dlcv.runtime.config import load as load_params
from dlcv.runtime.errors import UserError
from dlcv.runtime.files import write_json

pytestmark = pytest.mark.slow  # whole trainings, samplings or evaluations


@pytest.fixture
def weights(domains: Path, set_params: Any) -> Path:
    set_params({"adaptation.training.steps": 2, "adaptation.training.batch_size": 16})
    return train.run(Task("dann", "svhn-usps", 0), load_params())


def folder_of(path: Path) -> Path:
    """Grey, colour, transparent and 16-bit images of several sizes, and what lies beside them."""
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


def test_a_table_of_every_image_in_the_order_of_names(
    weights: Path, tmp_path: Path, dlcv: Callable[[str], tuple[int, str]]
) -> None:
    images, out = folder_of(tmp_path / "in"), tmp_path / "new" / "predictions.csv"
    command = f"adaptation predict {images} --scenario svhn-usps"
    assert dlcv(f"{command} --out {out} --weights {weights}") == (0, "")
    rows = list(csv.reader(out.open()))
    assert rows[0] == ["image_name", "label"]
    assert [name for name, _ in rows[1:]] == ["a.png", "b grey.png", "c,large.jpg", "d.png", "e.png"]
    assert all(label in set("0123456789") for _, label in rows[1:])
    network, _ = load(weights)
    expected = predict.predict(network, np.asarray(Image.open(images / "a.png"))[None]).digits
    assert int(rows[1][1]) == expected[0]


def test_without_a_method_the_one_that_the_validator_chooses(
    weights: Path, tmp_path: Path, dlcv: Callable[[str], tuple[int, str]]
) -> None:
    images, out = folder_of(tmp_path / "in"), tmp_path / "predictions.csv"
    command = f"adaptation predict {images} --scenario svhn-usps --out {out}"
    code, message = dlcv(command)
    assert code == 1 and "svhn-usps-evaluation/summary.json, which has the choice" in message and not out.exists()
    # A source-only training is not chosen, whatever its value is.
    values = {"svhn/supervised-0": 2.0, "svhn-usps/gta_source-0": 1.5, "svhn-usps/gta-0": 0.5, "svhn-usps/dann-0": 1.0}
    candidates = {name: {"information": value} for name, value in values.items()}
    choice = {"criterion": "information", "candidates": candidates}
    write_json(weights.parents[3] / "out/adaptation/svhn-usps-evaluation/summary.json", {"choice": choice})
    assert dlcv(command) == (0, "")
    chosen = out.read_bytes()
    assert dlcv(f"{command} --method dann") == (0, "")
    assert out.read_bytes() == chosen


def test_bad_input_is_named_and_writes_nothing(weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "predictions.csv"
    out.write_text("before")
    images = folder_of(tmp_path / "in")

    def refused(message: str, folder: Path = images, scenario: str = "svhn-usps", place: Path = out) -> None:
        with pytest.raises(UserError, match=message) as error:
            predict.run(folder, scenario, weights, place)
        assert "\n" not in str(error.value)
        assert out.read_text() == "before"

    refused("there is no folder .*nowhere; give one", tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    refused("empty holds no images; give the folder", tmp_path / "empty")
    refused("has weights of svhn-usps, not of mnistm-usps", scenario="mnistm-usps")
    refused("in is a folder; name a file for the table", place=images)
    (images / "broken.png").write_bytes((images / "a.png").read_bytes()[:200])
    refused("broken.png is truncated or damaged .*; replace it")
    (images / "broken.png").write_text("no image")
    refused("broken.png is not an image .*; replace it")
    (images / "broken.png").unlink()
    (images / "notes.pdf").write_text("x")
    refused("notes.pdf is no image .*; take it out or convert it")
    assert sorted(path.name for path in tmp_path.glob(".*part*")) == []


def test_missing_weights_are_named(domains: Path, tmp_path: Path, dlcv: Callable[[str], tuple[int, str]]) -> None:
    images = folder_of(tmp_path / "in")
    code, error = dlcv(f"adaptation predict {images} --scenario svhn-usps --method dann --out x.csv")
    assert code == 1 and "weights.json is missing; `dvc repro` trains it" in error


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("predict in --out x.csv --scenario svhn-upss", "no scenario svhn-upss; did you mean svhn-usps?"),
        ("predict in --out x.csv --scenario svhn-usps --method dan", "no method dan; did you mean dann?"),
        ("predict in --out x.csv --scenario svhn-usps --method dann --weights w", "give one of them"),
        ("train dan svhn-usps", "no method dan; did you mean dann?"),
        ("train dann svhn-usps", "data/digits/svhn"),
        ("train dann usps", "no scenario usps; did you mean svhn-usps?"),
        ("train supervised usps-mnistm", "no domain usps-mnistm; did you mean mnistm?"),
        ("train dann usps-mnistm --variant depp", "no variant depp; did you mean deep?"),
        ("train gta usps-mnistm --variant deep", "gta has no variants; use --variant with dann or supervised"),
        ("evaluate svhn-upss", "no scenario svhn-upss; did you mean svhn-usps?"),
    ],
)
def test_errors_are_found_before_torch_is_imported(
    study: Path, dlcv_alone: Callable[[str], tuple[int, str, set[str]]], words: str, message: str
) -> None:
    code, error, heavy = dlcv_alone(f"adaptation {words}")
    assert (code, error.count("\n"), heavy) == (1, 1, set())
    assert error.startswith("dlcv: error: ") and message in error
