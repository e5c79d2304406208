"""The stage `train`: what it writes, resume, BatchNorm of averaged weights, and the section `diffusion`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from dlcv.diffusion import train
from dlcv.diffusion.conditional import Conditional
from dlcv.diffusion.networks.build import build
from dlcv.diffusion.schedule import linear
from dlcv.runtime.config import load
from dlcv.runtime.errors import UserError
from dlcv.runtime.files import read_json, sha256
from tests.conftest import files
from tests.diffusion.conftest import SMALL, network


@pytest.mark.usefixtures("_often")
@pytest.mark.parametrize("model", ["context-unet", "attention-unet", "residual-unet"])
def test_a_training_leaves_weights_snapshots_and_a_curve_and_can_be_resumed(
    digits: Path, set_params: Any, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    set_params(SMALL | {f"diffusion.{model}.network.conditioning": "printed"})
    out = train.run(model, load())
    whole = files(out)
    names = ["curve.csv", *(f"snapshots/step-{step:06d}.safetensors" for step in (4, 8, 12))]
    assert sorted(whole) == [*names, "weights.json", "weights.safetensors"] and out == Path("out/diffusion") / model
    assert whole["snapshots/step-000012.safetensors"] == whole["weights.safetensors"]
    about = read_json(out / "weights.json")
    assert about["area"] == "diffusion" and about["model"] == model and about["target"] == "image"
    assert about["sha256"] == sha256(out / "weights.safetensors") and about["data"] == {"mnistm": f"{0:064x}"}
    assert about["params"]["training"]["steps"] == 12 and "guidance" not in about["params"]
    made = build(model, about["network"], about["schedule"]["timesteps"])
    made.load_state_dict(load_file(out / "weights.safetensors"))
    assert sum(layer["parameters"] for layer in about["layers"]) == about["parameters"]
    curve = pd.read_csv(out / "curve.csv")
    assert list(curve["step"]) == [2, 4, 6, 8, 10, 12] and list(curve) == ["step", "loss", "error", "gradient_norm"]

    out.rename("whole")
    real = Conditional.step
    done: list[None] = []

    def dying(self: Conditional, *arguments: Any) -> dict[str, Tensor]:
        done.append(None)
        if len(done) == 11:
            raise KeyboardInterrupt
        return real(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Conditional, "step", dying)
        with pytest.raises(KeyboardInterrupt):
            train.run(model, load())
    torch.manual_seed(99)  # the process that goes on is another one
    assert files(train.run(model, load())) == whole


def test_averaged_weights_get_statistics_of_their_own() -> None:
    made = network("context-unet")
    images = np.random.default_rng(0).integers(0, 256, size=(80, 28, 28, 3), dtype=np.uint8)
    norms = [module for module in made.modules() if isinstance(module, nn.BatchNorm2d)]
    before = [norm.running_var.clone() for norm in norms if norm.running_var is not None]
    state = torch.get_rng_state()
    train.standing_statistics(made, images, np.arange(80) % 10, linear(400, 1e-4, 0.02), 0.1, batches=2)
    assert torch.equal(torch.get_rng_state(), state) and not made.training
    after = [norm.running_var for norm in norms if norm.running_var is not None]
    assert len(after) == 14 and not any(torch.equal(a, b) for a, b in zip(after, before, strict=True))
    again = network("context-unet")
    torch.manual_seed(77)
    train.standing_statistics(again, images, np.arange(80) % 10, linear(400, 1e-4, 0.02), 0.1, batches=2)
    for a, b in zip(made.buffers(), again.buffers(), strict=True):
        assert torch.equal(a, b)
    # A network without BatchNorm is not even called.
    train.standing_statistics(network("residual-unet"), images, None, linear(200, 5e-4, 0.1), 0.1)


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


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("samples", 25, "diffusion.samples: has to be a multiple of 10, equally many of each digit, not 25"),
        ("table.images", 5, "diffusion.table.images: Input should be greater than or equal to 10, not 5"),
        ("table.w", [1.0, 0.0], "diffusion.table.w: has to rise from value to value, not [1.0, 0.0]"),
        ("table.skip_unconditional", [1.5], "diffusion.table.skip_unconditional.0: Input should be less than or"),
        ("models", ["context-unet", "context-unet"], "diffusion.models: has to name each model once"),
        ("sampling.steps", 201, "diffusion: sampling.steps may be 200 at most for residual-unet with this spacing"),
        ("sampling.sampler", "ddpm", "diffusion.sampling.sampler: Input should be 'ddim' or 'ancestral', not 'ddpm'"),
        ("context-unet.guidance.w", -1.0, "diffusion.context-unet.guidance.w: Input should be greater than or equal"),
        ("context-unet.training.drop", "label", "diffusion.context-unet.training.drop: Input should be 'sample' or"),
        ("context-unet.training.label_drop", 0.0, "diffusion: context-unet never learns to do without a label; w"),
        ("attention-unet.network.dropout", 0.1, "diffusion: attention-unet has no dropout; its network.dropout has"),
        ("residual-unet.schedule.beta_end", 0.00001, "diffusion.residual-unet.schedule: beta_start 0.0005 has to be"),
        ("residual-unet.training.precision", "fp16", "diffusion.residual-unet.training.precision: Input should be"),
        ("residual-unet.widht", 1.0, "unknown key diffusion.residual-unet.widht"),
    ],
)
def test_bad_value_is_named_with_its_key(set_params: Any, key: str, value: object, message: str) -> None:
    set_params({f"diffusion.{key}": value})
    with pytest.raises(UserError) as error:
        load()
    assert f"params.yaml: {message}" in str(error.value)
    assert "\n" not in str(error.value)


def test_without_guidance_no_label_needs_to_be_dropped(set_params: Any) -> None:
    set_params({"diffusion.context-unet.training.label_drop": 0.0, "diffusion.context-unet.guidance.w": 0.0})
    load()


def test_all_times_need_a_spacing_that_has_all(set_params: Any) -> None:
    set_params({"diffusion.sampling.steps": None, "diffusion.sampling.spacing": "uniform"})
    load()
    set_params({"diffusion.sampling.spacing": "uniform+1"})
    with pytest.raises(UserError, match="sampling.steps may be 399 at most for context-unet with this spacing"):
        load()
