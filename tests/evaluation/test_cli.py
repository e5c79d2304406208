"""`dlcv evaluate` as the pipeline and as a user call it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dlcv.evaluation import bounds, cli
from dlcv.runtime.config import load, read_yaml
from dlcv.runtime.errors import UserError

REPOSITORY = Path(__file__).parent.parent.parent
Write = Callable[[str, np.ndarray], Path]


@pytest.mark.slow
def test_the_command_scores_against_a_folder_and_against_the_stages_reference(
    prepared: Path, write: Write, faces: tuple[np.ndarray, np.ndarray], capsys: pytest.CaptureFixture[str]
) -> None:
    train, val = faces
    generated, real = write("generated", train[:60]), write("real", train[60:])
    cli.images([generated], real, validation=write("val", val), count=55, out=Path("scores.json"))
    table = capsys.readouterr().out.splitlines()
    assert table[0] == "55 of 60 images against 260 real ones (efficientnet_lite0)"
    assert [line.split()[0] for line in table[1:]] == [
        "frechet_efficientnet_lite0", "frechet_efficientnet_lite0_to_validation",
        "precision", "recall", "density", "coverage", "memorised", "kid", "face_score",
        "dlib_face.frechet_dlib_face", "dlib_face.frechet_dlib_face_to_validation",
        *(f"dlib_face.{name}" for name in ("precision", "recall", "density", "coverage", "memorised")),
    ]  # fmt: skip
    assert json.loads(Path("scores.json").read_text())["protocol"]["images"] == 55

    bounds.run("faces", load())
    cli.images([generated], Path("out/evaluation/faces"), as_json=True)
    answer = json.loads(capsys.readouterr().out)
    assert answer["scores"]["memorised"] == 1  # the folder holds copies of training images
    with pytest.raises(UserError, match="--count 100, but .* has 80 validation images"):
        cli.images([write("more", train[:100])], Path("out/evaluation/faces"), count=100)


@pytest.mark.slow
def test_several_folders_have_a_column_each_and_the_reference_is_kept(
    prepared: Path, write: Write, faces: tuple[np.ndarray, np.ndarray], capsys: pytest.CaptureFixture[str]
) -> None:
    train, val = faces
    first, second, real = write("first", train[:30]), write("second", 255 - train[:40]), write("real", train[60:120])
    cli.images([first, second], real, validation=write("val", val), save_as=Path("kept"), no_faces=True)
    table = capsys.readouterr().out.splitlines()
    assert table[0] == "30 of 30, 40 images against 60 real ones (efficientnet_lite0)"
    assert table[1].split() == [str(first), str(second)]
    both = next(line for line in table if line.startswith("frechet_efficientnet_lite0 ")).split()
    cli.images([second], Path("kept"), count=30, no_faces=True, as_json=True)
    alone = json.loads(capsys.readouterr().out)["scores"]["frechet_efficientnet_lite0"]["value"]
    assert both[5] == f"{alone:.4f}" and float(both[1]) < float(both[5])
    with pytest.raises(UserError, match="--save-reference keeps the features of validation images, too"):
        cli.images([first], real, save_as=Path("other"))
    with pytest.raises(UserError, match="kept is not empty"):
        cli.images([first], real, validation=Path("val"), save_as=Path("kept"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["reference", "facs"], "no set facs; did you mean faces?"),
        (["reference", "faces"], "there is no prepared data in data/faces; run `dvc repro"),
        (["images", "few", "--reference", "few", "--count", "9"], "few holds 8 images, but 9 are asked for"),
        (["images", "few", "--reference", "none"], "there is no folder none"),
        (["images", "few", "--reference", "few", "--extractor", "incepton"], "no extractor incepton; did you mean"),
        (["images", "few", "--reference", "few", "--inception-weights", "x"], "add --extractor inception"),
        (
            ["images", "few", "--reference", "few", "--extractor", "inception", "--inception-weights", "x.pth"],
            "there is no x.pth",
        ),
    ],
)
def test_wrong_input_is_one_line_before_torch_is_imported(
    study: Path, write: Write, words: list[str], message: str
) -> None:
    write("few", np.zeros((8, 16, 16, 3), dtype=np.uint8))
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-X", "importtime", "-m", "dlcv", "evaluate", *words]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    lines = [line for line in answer.stderr.splitlines() if not line.startswith("import time:")]
    assert answer.returncode == 1
    assert len(lines) == 1 and lines[0].startswith("dlcv: error: ") and message in lines[0]
    assert " torch\n" not in answer.stderr  # what takes the seconds


def test_outside_a_study_the_settings_are_those_that_ship() -> None:
    assert read_yaml(REPOSITORY / "params.yaml")["evaluation"] == cli.OUTSIDE
