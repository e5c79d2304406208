"""Which models the page offers, and with which options."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from dlcv.play import reading
from dlcv.play.shelf import Shelf, checked, draws_digits, draws_faces, gaps
from dlcv.runtime.config import load
from dlcv.runtime.errors import UserError
from dlcv.runtime.files import sha256


def test_models_with_weights_are_offered_in_the_order_of_params(shelf: Shelf) -> None:
    assert shelf.names(draws_faces) == ["gan/dcgan-0", "gan/sngan-0", "vae/vae-0", "ddim/unet-0"]
    assert shelf.names(draws_digits) == ["diffusion/context-unet-0"]
    Path("out/vae/vae-0/weights.safetensors").unlink()
    assert shelf.names(draws_faces) == ["gan/dcgan-0", "gan/sngan-0", "ddim/unet-0"]


def test_a_model_that_is_not_declared_is_not_offered(trained: Path, set_params) -> None:
    set_params({"gan.models": ["sngan"], "gan.pairs": {}})
    assert "gan/dcgan-0" not in Shelf(load()).names(draws_faces)


def test_gaps_name_the_missing_training_and_the_stages_that_write_it(shelf: Shelf) -> None:
    shutil.rmtree("out/ddim/unet-0")
    lines = gaps([*shelf.folders(draws_faces), *reading.folders(shelf.params)])
    assert "No weights of ddim/unet-0: `dvc repro stages/ddim/dvc.yaml` trains what is missing." in lines
    (gan,) = (line for line in lines if "stages/gan/" in line)
    assert "gan/wgan-gp-0" in gan and "sngan" not in gan
    (adaptation,) = (line for line in lines if "stages/adaptation/" in line)
    assert "adaptation/usps-mnistm/gta-0" in adaptation and "usps-mnistm/dann-0" not in adaptation
    assert not any("judge" in line for line in lines)


def test_options_are_those_of_the_sampler(shelf: Shelf) -> None:
    assert shelf.options("gan/sngan-0") == shelf.options("vae/vae-0") == {}
    faces, digits = shelf.options("ddim/unet-0"), shelf.options("diffusion/context-unet-0")
    assert (list(faces), list(digits)) == (["steps", "eta"], ["steps", "w"])
    about = json.loads(Path("out/diffusion/context-unet-0/weights.json").read_text())
    assert digits["steps"].high == about["schedule"]["timesteps"]
    assert digits["w"].value == load().raw["diffusion"]["guidance"]["base"]["w"]


def test_values_out_of_range_are_named_and_others_are_left_out(shelf: Shelf) -> None:
    options = shelf.options("ddim/unet-0")
    found = checked({"steps": 3.0, "eta": 1, "w": 7}, options)
    assert found == {"steps": 3, "eta": 1.0} and isinstance(found["steps"], int)
    with pytest.raises(UserError, match="eta is 1.5; give 0 to 1"):
        checked({"steps": 3, "eta": 1.5}, options)
    with pytest.raises(UserError, match="steps is None; give 1 to 1000"):
        checked({"eta": 1}, options)


def test_a_model_is_opened_once_and_again_after_a_new_training(shelf: Shelf) -> None:
    first = shelf.open("gan/sngan-0")
    assert shelf.open("gan/sngan-0") is first
    weights = Path("out/gan/sngan-0/weights.safetensors")
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    about = json.loads(weights.with_suffix(".json").read_text())
    with pytest.raises(UserError, match="is not the file that"):  # damaged
        Shelf(shelf.params).open("gan/sngan-0")
    weights.with_suffix(".json").write_text(json.dumps({**about, "sha256": sha256(weights)}))
    again = shelf.open("gan/sngan-0")
    assert again is not first
    assert np.asarray(again.sample(1)).shape == (1, 64, 64, 3)
