"""The training of faces: its files, resuming it, and bad data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from dlcv.diffusion import train_faces
from dlcv.diffusion.faces import load_model
from dlcv.diffusion.step import Denoising
from dlcv.runtime.config import load
from dlcv.runtime.files import read_json, sha256
from tests.conftest import files
from tests.diffusion.conftest import FACE_NETWORK, SMALL_FACES

pytestmark = pytest.mark.slow  # whole trainings, samplings or evaluations


@pytest.mark.usefixtures("_often")
def test_a_training_leaves_weights_snapshots_and_a_curve_and_can_be_resumed(
    faces: Path, set_params: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_params(SMALL_FACES)
    out = train_faces.run(load())
    whole = files(out)
    names = ["curve.csv", *(f"snapshots/step-{step:06d}.safetensors" for step in (4, 8, 12))]
    assert sorted(whole) == [*names, "weights.json", "weights.safetensors"] and out == Path("out/ddim/unet-0")
    assert whole["snapshots/step-000012.safetensors"] == whole["weights.safetensors"]
    about = read_json(out / "weights.json")
    assert about["area"] == "ddim" and about["network"] == FACE_NETWORK and about["prediction"] == "x0"
    assert about["stage"] == "stages/ddim/dvc.yaml:train@0"
    assert about["sha256"] == sha256(out / "weights.safetensors") and about["data"] == {"faces": "a" * 64}
    assert about["params"]["training"]["steps"] == 12 and about["schedule"]["timesteps"] == 1000
    loaded = load_model(out).network.state_dict()
    saved = load_file(out / "weights.safetensors")
    assert set(loaded) == set(saved) and all(torch.equal(loaded[name], saved[name]) for name in saved)
    # The listed layers have all parameters.
    assert sum(layer["parameters"] for layer in about["layers"]) == about["parameters"]
    curve = pd.read_csv(out / "curve.csv")
    assert list(curve["step"]) == [2, 4, 6, 8, 10, 12] and {"loss", "error", "gradient_norm"} < set(curve)

    out.rename("whole")
    real, done = Denoising.step, []

    def dying(self: Denoising, *arguments: Any) -> dict[str, Tensor]:
        done.append(None)
        if len(done) == 11:
            raise KeyboardInterrupt
        return real(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Denoising, "step", dying)
        with pytest.raises(KeyboardInterrupt):
            train_faces.run(load())
    torch.manual_seed(99)  # as in a new process
    assert files(train_faces.run(load())) == whole


def test_each_seed_is_a_training_of_its_own(faces: Path, set_params: Any, dlcv: Any) -> None:
    set_params(SMALL_FACES | {"ddim.seeds": [5, 3]})
    for words, seed in (("", 5), ("--seed 3", 3), ("--seed 7", 7)):
        assert dlcv(f"ddim train {words}")[0] == 0
        assert read_json(faces / f"out/ddim/unet-{seed}/weights.json")["params"]["seed"] == seed
    assert len({sha256(path) for path in (faces / "out/ddim").glob("*/weights.safetensors")}) == 3


@pytest.mark.usefixtures("study")
def test_missing_faces_are_one_line(dlcv: Any) -> None:
    code, error = dlcv("ddim train")
    assert code == 1 and error.startswith("dlcv: error: there is no prepared data in data/faces")
    assert error.count("\n") == 1


def test_faces_of_another_size_are_refused(faces: Path, dlcv: Any) -> None:
    card = faces / "data/faces/card.json"
    card.write_text(card.read_text().replace('"size": 64', '"size": 32'))
    assert dlcv("ddim train") == (1, "dlcv: error: data/faces has images of 32 pixels; the networks are for 64\n")
