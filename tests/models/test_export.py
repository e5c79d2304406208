"""Exported folders: what is in them, that they open elsewhere, and what is refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from huggingface_hub import ModelCard

from dlcv import load
from dlcv.data.latents import normal
from dlcv.models.export import export
from dlcv.runtime.config import load as load_params
from dlcv.runtime.errors import UserError
from dlcv.runtime.files import sha256
from tests.conftest import REPOSITORY
from tests.models.conftest import NAMES

pytestmark = pytest.mark.slow


@pytest.fixture
def opened(trained: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Every training, exported, opened in an empty working directory."""
    place = tmp_path_factory.mktemp("elsewhere")
    for name in NAMES:
        export(name, load_params(), place / name)
    monkeypatch.chdir(tmp_path_factory.mktemp("empty"))
    return {name: load(place / name) for name in NAMES}


def test_each_kind_has_its_methods_and_shapes(opened: dict[str, Any], images: np.ndarray) -> None:
    for name in ("gan/sngan-0", "vae/vae-0"):
        faces = opened[name].sample(3, seed=1)
        assert (faces.shape, faces.dtype) == ((3, 64, 64, 3), np.uint8)
        np.testing.assert_array_equal(opened[name].sample(1, seed=1), faces[:1])  # no image depends on the others
        assert (opened[name].sample(1, seed=2) != faces[:1]).any()
    vae = opened["vae/vae-0"]
    codes = vae.encode(faces)
    assert (codes.shape, codes.dtype) == ((3, vae.latent), np.float32)
    assert vae.decode(codes).shape == faces.shape
    latents = normal(3, (100,), 1)
    np.testing.assert_array_equal(opened["gan/sngan-0"].generate(latents.numpy()), opened["gan/sngan-0"].sample(3, 1))

    ddim = opened["ddim/unet-0"]
    drawn = ddim.sample(2, seed=1, steps=2)
    assert (drawn.shape, drawn.dtype) == ((2, 64, 64, 3), np.uint8)
    np.testing.assert_array_equal(ddim.generate(normal(2, (3, 64, 64), 1), 1, steps=2), drawn)
    assert (ddim.sample(2, seed=1, steps=3) != drawn).any()

    digits = opened["diffusion/context-unet-0"].sample([7, 3, 7], seed=1, steps=2)
    assert (digits.shape, digits.dtype) == ((3, 28, 28, 3), np.uint8)
    # The first 3 is the same, whatever stands before it.
    np.testing.assert_array_equal(opened["diffusion/context-unet-0"].sample([3], seed=1, steps=2)[0], digits[1])
    assert (digits[0] != digits[2]).any()

    for name in ("adaptation/usps-mnistm/dann-0", "evaluation/judge/0"):
        probabilities = opened[name].probabilities(images)
        assert (probabilities.shape, probabilities.dtype) == ((5, 10), np.float32)
        np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
        predicted = opened[name].predict(images)
        assert predicted.dtype == np.int64
        np.testing.assert_array_equal(predicted, probabilities.argmax(1))


def test_wrong_input_is_named(opened: dict[str, Any], images: np.ndarray) -> None:
    reader, gan = opened["evaluation/judge/0"], opened["gan/sngan-0"]
    with pytest.raises(UserError, match="images are float64 5 x 28 x 28 x 3; give uint8 N x 28 x 28 x 3, RGB"):
        reader.predict(images / 255)
    with pytest.raises(UserError, match="images are uint8 28 x 28 x 3"):
        reader.predict(images[0])
    with pytest.raises(UserError, match="give uint8 N x 64 x 64 x 3"):
        opened["vae/vae-0"].encode(images)
    with pytest.raises(UserError, match="latents are 2 x 99; give N x 100"):
        gan.generate(torch.zeros(2, 99))
    with pytest.raises(UserError, match="0 images are asked for"):
        gan.sample(0)
    with pytest.raises(UserError, match=r"digits are \[10\]; give numbers from 0 to 9"):
        opened["diffusion/context-unet-0"].sample([10])
    with pytest.raises(UserError, match="5000 steps"):
        opened["ddim/unet-0"].sample(1, steps=5000)
    with pytest.raises(ValueError, match="eta"):
        opened["ddim/unet-0"].sample(1, eta=2.0)


def test_the_files_are_those_of_the_training_and_a_card(trained: Path) -> None:
    folder = export("gan/sngan-0", load_params(), Path("exported"))
    assert {path.name for path in folder.iterdir()} == {
        "README.md",
        "model.json",
        "weights.json",
        "weights.safetensors",
    }
    for name in ("weights.json", "weights.safetensors"):
        assert (folder / name).read_bytes() == (trained / "out/gan/sngan-0" / name).read_bytes()
    samples = trained / "out/gan/sngan-0-samples"
    samples.mkdir()
    (samples / "grid.png").write_bytes(b"png")
    assert (export("gan/sngan-0", load_params(), Path("again")) / "picture.png").read_bytes() == b"png"
    assert "](picture.png)" in Path("again/README.md").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_a_card_has_front_matter_and_the_scores(trained: Path, name: str) -> None:
    folder = export(name, load_params(), Path("exported"))
    card = ModelCard((folder / "README.md").read_text())
    assert (card.data.license, card.data.library_name) == ("mit", "dlcv")
    told = {result.metric_name: result.metric_value for result in card.data.eval_results or []}
    assert told == {
        score["name"]: score["value"] for score in json.loads((folder / "model.json").read_text())["scores"]
    }
    assert told, name
    assert "None" not in card.text and "{{" not in card.text
    for key in ("Use", "Scores", "Training", "Limits"):
        assert f"\n## {key}\n" in card.text


def test_scores_of_other_weights_are_left_out(trained: Path) -> None:
    for name in ("gan/sngan-0", "adaptation/usps-mnistm/dann-0", "evaluation/judge/0"):
        file = trained / "out" / name / "weights.json"
        weights = file.with_suffix(".safetensors")
        about = json.loads(file.read_text())
        before = export(name, load_params(), Path("before") / name)
        assert json.loads((before / "model.json").read_text())["scores"]
        # Trained again: other bytes of the same network.
        content = weights.read_bytes()
        weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        file.write_text(json.dumps({**about, "sha256": sha256(weights)}))
        after = export(name, load_params(), Path("after") / name)
        assert json.loads((after / "model.json").read_text())["scores"] == []
        assert "has not been evaluated" in (after / "README.md").read_text()


def test_a_wrong_name_and_a_full_folder_are_refused(trained: Path) -> None:
    with pytest.raises(UserError, match="no trained model gan/sngn-0; did you mean gan/sngan-0?"):
        export("gan/sngn-0", load_params(), Path("new"))
    with pytest.raises(UserError, match="out is not empty; name a new folder"):
        export("gan/sngan-0", load_params(), Path("out"))
    assert not Path("new").exists()


def test_damaged_weights_are_not_written(trained: Path) -> None:
    (trained / "out/gan/sngan-0/weights.safetensors").write_bytes(b"cut off")
    with pytest.raises(UserError, match="is not the file that"):
        export("gan/sngan-0", load_params(), Path("new"))
    assert not Path("new").exists()


def test_what_is_no_exported_folder_is_refused(trained: Path) -> None:
    with pytest.raises(UserError, match="out/gan/sngan-0 has no model.json; `dlcv export MODEL DIR` writes"):
        load("out/gan/sngan-0")
    folder = export("gan/sngan-0", load_params(), Path("new"))
    shutil.copy(folder / "README.md", folder / "model.json")
    with pytest.raises(UserError, match="does not describe a model"):
        load(folder)
    (folder / "model.json").write_text('{"kind": "gann"}')
    with pytest.raises(UserError, match="a model of the kind gann; did you mean gan?"):
        load(folder)


@pytest.mark.slow
def test_another_process_opens_a_folder_and_the_import_is_light(trained: Path, tmp_path_factory) -> None:
    folder = export("gan/sngan-0", load_params(), tmp_path_factory.mktemp("there") / "model")
    code = "import sys, dlcv; print('torch' in sys.modules); print(dlcv.load(sys.argv[1]).sample(2, seed=3).sum())"
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-c", code, str(folder)]
    there = folder.parent
    done = subprocess.run(command, env=environment, cwd=there, capture_output=True, text=True, check=True)
    light, total = done.stdout.split()
    assert light == "False" and int(total) > 0
