"""The stage `train` on small synthetic faces: files, resuming, snapshots, errors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from accelerate.state import AcceleratorState
from safetensors.torch import load_file
from torch import Tensor

from dlcv.data.batches import to_float
from dlcv.data.prepared import load_split
from dlcv.runtime.config import load
from dlcv.runtime.errors import UserError
from dlcv.runtime.files import read_json, sha256
from dlcv.vae import train
from dlcv.vae.networks import Autoencoder
from dlcv.vae.step import VAE
from tests.conftest import files
from tests.vae.conftest import LATENT, NARROW, SMALL, network, write_faces

OUT = Path("out/vae/vae-0")


pytestmark = pytest.mark.usefixtures("_often")


@pytest.fixture
def any_precision() -> Iterator[None]:
    """A process has one precision; these tests change it."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


def kill(monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """Let a training die in step `at`, counted from 1."""
    real, done = VAE.step, []

    def dying(self: VAE, *arguments: Any) -> dict[str, Tensor]:
        done.append(None)
        if len(done) == at:
            raise KeyboardInterrupt
        return real(self, *arguments)

    monkeypatch.setattr(VAE, "step", dying)


def test_a_training_leaves_weights_snapshots_and_a_curve(faces: Path, set_params: Any) -> None:
    set_params(SMALL)
    assert train.run(load()) == OUT
    names = ["curve.csv", *(f"snapshots/step-{step:06d}.safetensors" for step in (4, 8, 12))]
    assert sorted(files(OUT)) == [*names, "weights.json", "weights.safetensors"]
    about = read_json(OUT / "weights.json")
    assert (about["area"], about["name"], about["width"], about["latent"]) == ("vae", "vae-0", NARROW, LATENT)
    assert about["stage"] == "stages/vae/dvc.yaml:train@0"
    assert about["sha256"] == sha256(OUT / "weights.safetensors") and about["data"] == {"faces": "a" * 64}
    assert about["params"]["training"]["kl_weight"] == 1e-5 and about["beta"] == 0.12288
    Autoencoder(NARROW, LATENT).load_state_dict(load_file(OUT / "weights.safetensors"))
    assert about["parameters"] == sum(part["parameters"] for part in about["networks"].values())
    curve = pd.read_csv(OUT / "curve.csv")
    assert list(curve) == ["step", "loss", "reconstruction", "kl"] and list(curve["step"]) == [2, 4, 6, 8, 10, 12]
    assert not list((faces / ".checkpoints/vae/vae-0").glob("*/*"))


@pytest.mark.slow
@pytest.mark.usefixtures("any_precision")
@pytest.mark.parametrize(("ema_decay", "precision"), [(0.0, "fp32"), (0.0, "bf16"), (0.9, "fp32")])
def test_the_last_snapshot_is_the_result_and_snapshots_change_nothing(
    faces: Path, set_params: Any, ema_decay: float, precision: str
) -> None:
    set_params(SMALL | {"vae.training.ema_decay": ema_decay, "vae.training.precision": precision})
    many = files(train.run(load()))
    assert many["snapshots/step-000012.safetensors"] == many["weights.safetensors"]
    assert len({many[name] for name in many if name.startswith("snapshots/")}) == 3
    # They change neither the network in training nor its random numbers.
    set_params({"vae.training.snapshots": 1})
    assert files(train.run(load()))["weights.safetensors"] == many["weights.safetensors"]


@pytest.mark.slow
@pytest.mark.parametrize("ema_decay", [0.0, 0.9])
def test_killed_and_resumed_equals_uninterrupted(
    faces: Path, set_params: Any, monkeypatch: pytest.MonkeyPatch, ema_decay: float
) -> None:
    set_params(SMALL | {"vae.training.ema_decay": ema_decay})
    whole = files(train.run(load()))
    OUT.rename("whole")
    with monkeypatch.context() as patch:
        kill(patch, at=11)
        with pytest.raises(KeyboardInterrupt):
            train.run(load())
    assert not OUT.exists()
    torch.manual_seed(99)  # as in a new process
    assert files(train.run(load())) == whole


def test_the_result_is_the_average_if_params_yaml_asks_for_one(
    faces: Path, set_params: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_params(SMALL | {"vae.training.ema_decay": 0.9})
    kill(monkeypatch, at=11)
    with pytest.raises(KeyboardInterrupt):
        train.run(load())
    (path,) = (faces / ".checkpoints/vae/vae-0").glob("*/step-*/rank-0.pt")
    state = torch.load(path, weights_only=True)
    snapshot = load_file(path.parent.parent / "snapshots/step-000008.safetensors")
    last, average = state["network.network"], state["average.network"]
    assert state["step"] == 8 and torch.equal(snapshot["fc_mu.weight"], average["fc_mu.weight"])
    assert not torch.equal(last["fc_mu.weight"], average["fc_mu.weight"])


@pytest.mark.slow
def test_labels_and_validation_images_do_not_change_the_training(faces: Path, set_params: Any) -> None:
    set_params(SMALL)
    before = files(train.run(load()))["weights.safetensors"]
    for name in ("train_labels", "val_labels"):
        (faces / f"data/faces/{name}.npy").unlink()
    card = faces / "data/faces/card.json"
    card.write_text(card.read_text().replace('"label": "Male"', '"label": null'))
    np.save(faces / "data/faces/val_images.npy", np.zeros((24, 64, 64, 3), dtype=np.uint8))
    assert files(train.run(load()))["weights.safetensors"] == before


def test_statistics_are_those_of_the_current_weights_over_the_images(faces: Path) -> None:
    images = load_split(faces / "data/faces", "train").images
    made = network()
    weights = {name: parameter.detach().clone() for name, parameter in made.named_parameters()}
    for name, buffer in made.named_buffers():
        if "running" in name:
            buffer.fill_(7.0)  # of other weights
    state = torch.get_rng_state()
    train.recalibrate(made, images)
    assert torch.equal(torch.get_rng_state(), state) and not made.training
    assert all(torch.equal(parameter, weights[name]) for name, parameter in made.named_parameters())
    with torch.no_grad():
        first = made.encoder[0][0](to_float(images))  # type: ignore[index]
    norm: Any = made.encoder[0][1]  # type: ignore[index]
    assert torch.allclose(norm.running_mean, first.mean((0, 2, 3)), atol=1e-5)
    assert torch.allclose(norm.running_var, first.var((0, 2, 3)), rtol=1e-3)
    assert all(not (buffer == 7).all() for name, buffer in made.named_buffers() if "running" in name)


def test_a_loss_that_is_not_finite_stops_and_earlier_weights_stay(faces: Path, set_params: Any) -> None:
    set_params(SMALL)
    before = files(train.run(load()))
    set_params({"vae.training.learning_rate": 1e30, "vae.training.schedule": "constant"})
    with pytest.raises(UserError) as error:
        train.run(load())
    assert str(error.value).startswith("vae-0: ") and "\n" not in str(error.value)
    assert "lower the learning rate" in str(error.value)
    assert files(OUT) == before


def test_a_batch_larger_than_the_set_is_the_whole_set(faces: Path, set_params: Any) -> None:
    set_params(SMALL | {"vae.training.batch_size": 100, "vae.training.steps": 2, "vae.training.snapshots": 5})
    assert (train.run(load()) / "weights.json").is_file()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"size": 64', '"size": 32', "data/faces has images of 32 pixels; the networks are for 64"),
        ('"count": 40', '"count": 1', "data/faces has 1 training image; a batch needs at least 2"),
    ],
)
def test_faces_that_cannot_be_trained_on_are_refused(study: Path, dlcv: Any, old: str, new: str, message: str) -> None:
    card = write_faces(study) / "data/faces/card.json"
    card.write_text(card.read_text().replace(old, new))
    assert dlcv("vae train") == (1, f"dlcv: error: {message}\n")


@pytest.mark.slow
@pytest.mark.usefixtures("study")
def test_no_faces_are_one_line_and_leave_nothing(study: Path, dlcv: Any) -> None:
    before = sorted(study.rglob("*"))
    code, error = dlcv("vae train")
    assert code == 1 and error.count("\n") == 1
    assert error.startswith("dlcv: error: there is no prepared data in data/faces; run `dvc repro stages/data/dvc.yaml")
    assert sorted(study.rglob("*")) == before
