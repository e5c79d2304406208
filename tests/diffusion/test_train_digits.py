"""The training of digits: its files, resuming it, BatchNorm of averaged weights, and bad data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from dlcv.diffusion import train_digits
from dlcv.diffusion.digits import load_model
from dlcv.diffusion.schedule import linear
from dlcv.diffusion.step import Denoising
from dlcv.runtime.config import load
from dlcv.runtime.files import read_json, sha256
from tests.conftest import files
from tests.diffusion.conftest import SMALL_DIGITS, digit_network

pytestmark = pytest.mark.slow  # whole trainings, samplings or evaluations


@pytest.mark.usefixtures("_often")
@pytest.mark.parametrize("model", ["context-unet", "attention-unet", "residual-unet"])
def test_a_training_leaves_weights_snapshots_and_a_curve_and_can_be_resumed(
    digits: Path, set_params: Any, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    set_params(SMALL_DIGITS | {"diffusion.base.network.conditioning": "printed"})
    out = train_digits.run(model, load())
    whole = files(out)
    names = ["curve.csv", *(f"snapshots/step-{step:06d}.safetensors" for step in (4, 8, 12))]
    assert sorted(whole) == [*names, "weights.json", "weights.safetensors"] and out == Path(f"out/diffusion/{model}-0")
    assert whole["snapshots/step-000012.safetensors"] == whole["weights.safetensors"]
    about = read_json(out / "weights.json")
    assert about["area"] == "diffusion" and about["model"] == model and about["prediction"] == "x0"
    assert about["stage"] == f"stages/diffusion/dvc.yaml:train@{model}-0"
    assert about["sha256"] == sha256(out / "weights.safetensors") and about["data"] == {"mnistm": f"{0:064x}"}
    assert about["params"]["training"]["steps"] == 12 and "guidance" not in about["params"]
    loaded = load_model(out).network.state_dict()
    saved = load_file(out / "weights.safetensors")
    assert set(loaded) == set(saved) and all(torch.equal(loaded[name], saved[name]) for name in saved)
    assert sum(layer["parameters"] for layer in about["layers"]) == about["parameters"]
    curve = pd.read_csv(out / "curve.csv")
    assert list(curve["step"]) == [2, 4, 6, 8, 10, 12] and list(curve) == ["step", "loss", "error", "gradient_norm"]

    out.rename("whole")
    real = Denoising.step
    done: list[None] = []

    def dying(self: Denoising, *arguments: Any) -> dict[str, Tensor]:
        done.append(None)
        if len(done) == 11:
            raise KeyboardInterrupt
        return real(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Denoising, "step", dying)
        with pytest.raises(KeyboardInterrupt):
            train_digits.run(model, load())
    torch.manual_seed(99)  # as in a new process
    assert files(train_digits.run(model, load())) == whole


def test_each_seed_is_a_training_of_its_own(digits: Path, set_params: Any, dlcv: Any) -> None:
    set_params(SMALL_DIGITS | {"diffusion.seeds": [5, 3]})
    for words, seed in (("", 5), ("--seed 3", 3), ("--seed 7", 7)):
        assert dlcv(f"diffusion train residual-unet {words}")[0] == 0
        assert read_json(digits / f"out/diffusion/residual-unet-{seed}/weights.json")["params"]["seed"] == seed
    assert len({sha256(path) for path in (digits / "out/diffusion").glob("*/weights.safetensors")}) == 3


def test_averaged_weights_get_their_own_statistics() -> None:
    made = digit_network("context-unet")
    images = np.random.default_rng(0).integers(0, 256, size=(80, 28, 28, 3), dtype=np.uint8)
    norms = [module for module in made.modules() if isinstance(module, nn.BatchNorm2d)]
    before = [norm.running_var.clone() for norm in norms if norm.running_var is not None]
    state = torch.get_rng_state()
    train_digits.recalibrate(made, images, np.arange(80) % 10, linear(400, 1e-4, 0.02), 0.1, batches=2)
    assert torch.equal(torch.get_rng_state(), state) and not made.training
    after = [norm.running_var for norm in norms if norm.running_var is not None]
    assert len(after) == 14 and not any(torch.equal(a, b) for a, b in zip(after, before, strict=True))
    again = digit_network("context-unet")
    torch.manual_seed(77)
    train_digits.recalibrate(again, images, np.arange(80) % 10, linear(400, 1e-4, 0.02), 0.1, batches=2)
    for a, b in zip(made.buffers(), again.buffers(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize(
    ("model", "decay", "expected"),
    [
        ("context-unet", 0.9, 4),
        ("context-unet", 0.0, 0),
        ("residual-unet", 0.9, 0),
    ],
)
def test_only_averaged_weights_with_batch_norm_are_recalibrated(
    digits: Path, set_params: Any, monkeypatch: pytest.MonkeyPatch, model: str, decay: float, expected: int
) -> None:
    calls: list[nn.Module] = []
    monkeypatch.setattr(train_digits, "recalibrate", lambda network, *_: calls.append(network))
    changes = {"network.conditioning": "printed", "training.ema_decay": decay, "training.steps": 3}
    set_params(SMALL_DIGITS | {f"diffusion.base.{key}": value for key, value in changes.items()})
    train_digits.run(model, load())
    assert len(calls) == expected  # three snapshots and the result


@pytest.mark.usefixtures("study")
def test_missing_digits_and_a_wrong_name_are_one_line(dlcv: Any) -> None:
    code, error = dlcv("diffusion train context-unet")
    assert code == 1 and error.startswith("dlcv: error: there is no prepared data in data/digits/mnistm")
    assert error.count("\n") == 1
    assert dlcv("diffusion train context-unit") == (
        1,
        "dlcv: error: no model context-unit; did you mean context-unet?\n",
    )


def test_digits_without_labels_are_refused(digits: Path, dlcv: Any) -> None:
    card = digits / "data/digits/mnistm/card.json"
    card.write_text(card.read_text().replace('"label": "digit"', '"label": null'))
    code, error = dlcv("diffusion train attention-unet")
    assert code == 1 and "the digits in data/digits/mnistm have no labels; prepare them from a source" in error
