"""The sections `ddim` and `diffusion` of params.yaml: refused values with their messages."""

from __future__ import annotations

from typing import Any

import pytest

from dlcv.diffusion.config import Diffusion, guidance_of, settings_of
from dlcv.runtime.config import load
from dlcv.runtime.errors import UserError


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("sampling.eta", 1.5, "ddim.sampling.eta: Input should be less than or equal to 1, not 1.5"),
        ("sampling.spacing", "linear", "ddim.sampling.spacing: Input should be 'uniform', 'uniform+1', 'trailing' or"),
        ("sampling.steps", 1000, "ddim: sampling.steps may be at most 999 with this schedule and spacing, not 1000"),
        ("table.steps", [10, 1001], "ddim: table.steps may be at most 1000 with this schedule and spacing, not 1001"),
        ("table.steps", [20, 10], "ddim.table.steps: has to rise from value to value, not [20, 10]"),
        ("table.etas", [0.0, 0.0], "ddim.table.etas: has to rise from value to value, not [0.0, 0.0]"),
        ("figure_etas", [], "ddim.figure_etas: List should have at least 1 item"),
        ("schedule.beta_end", 0.00001, "ddim.schedule: beta_start 0.0001 has to be at most beta_end 1e-05"),
        ("schedule.beta_end", 1.0, "ddim.schedule.beta_end: Input should be less than 1, not 1.0"),
        ("network.patch", 3, "ddim.network.patch: Input should be 1, 2 or 4, not 3"),
        ("network.multipliers", [1] * 7, "ddim.network: 7 levels behind patches of 2 are too many for 64 pixels"),
        ("network.width", 0.01, "ddim.network.width: Input should be greater than or equal to 0.03125"),
        ("network.dropout", 1.0, "ddim.network.dropout: Input should be less than 1, not 1.0"),
        ("training.prediction", "image", "ddim.training.prediction: Input should be 'noise', 'velocity' or 'x0', not"),
        (
            "training.precision",
            "f16",
            "ddim.training.precision: Input should be 'fp32', 'tf32', 'bf16' or 'fp16', not 'f16'",
        ),
        ("training.gradient_clip", -1.0, "ddim.training.gradient_clip: Input should be greater than or equal to 0"),
        ("training.step", 3, "unknown key ddim.training.step; did you mean steps?"),
        ("samples", 3, "ddim.samples: Input should be greater than or equal to 4, not 3"),
    ],
)
def test_a_bad_value_of_ddim_is_named_with_its_key(set_params: Any, key: str, value: object, message: str) -> None:
    set_params({f"ddim.{key}": value})
    assert f"params.yaml: {message}" in refusal()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("samples", 25, "diffusion.samples: has to be a multiple of 10, the same number of each digit, not 25"),
        ("table.images", 5, "diffusion.table.images: Input should be greater than or equal to 10, not 5"),
        ("table.w", [1.0, 0.0], "diffusion.table.w: has to rise from value to value, not [1.0, 0.0]"),
        ("table.skip_unconditional", [1.5], "diffusion.table.skip_unconditional.0: Input should be less than or"),
        ("models", ["context-unet", "context-unet"], "diffusion: models has to name each model once"),
        ("sampling.steps", 201, "diffusion: sampling.steps may be at most 200 for residual-unet with this spacing"),
        ("sampling.sampler", "ddpm", "diffusion.sampling.sampler: Input should be 'ddim' or 'ancestral', not 'ddpm'"),
        ("guidance.context-unet", {"w": -1.0}, "diffusion.guidance.context-unet.w: Input should be greater than or"),
        ("context-unet.training", {"drop": "label"}, "diffusion.context-unet.training.drop: Input should be 'sample'"),
        (
            "context-unet.training",
            {"label_drop": 0.0},
            "diffusion: context-unet is never trained without a label; w above 0 needs a label_drop above 0",
        ),
        ("attention-unet.network.dropout", 0.1, "diffusion: attention-unet has no dropout; its network.dropout has"),
        ("residual-unet.schedule.beta_end", 0.00001, "diffusion.residual-unet.schedule: beta_start 0.0005 has to be"),
        ("residual-unet.training.precision", "f16", "diffusion.residual-unet.training.precision: Input should be"),
        ("residual-unet.widht", 1.0, "unknown key diffusion.residual-unet.widht"),
        (
            "base.network.architecture",
            "attention-net",
            "diffusion.base.network.architecture: there is no attention-net; did you mean attention-unet?",
        ),
    ],
)
def test_a_bad_value_of_diffusion_is_named_with_its_key(set_params: Any, key: str, value: object, message: str) -> None:
    set_params({f"diffusion.{key}": value})
    assert f"params.yaml: {message}" in refusal()


def refusal() -> str:
    """The message about params.yaml, one line."""
    with pytest.raises(UserError) as error:
        load()
    assert "\n" not in str(error.value)
    return str(error.value)


def test_without_guidance_no_label_needs_to_be_dropped(set_params: Any) -> None:
    set_params({"diffusion.context-unet.training": {"label_drop": 0.0}, "diffusion.guidance.context-unet": {"w": 0.0}})
    load()


def test_all_times_need_a_spacing_that_has_all(set_params: Any) -> None:
    set_params({"diffusion.sampling.steps": None, "diffusion.sampling.spacing": "uniform"})
    load()
    set_params({"diffusion.sampling.spacing": "uniform+1"})
    with pytest.raises(UserError, match="sampling.steps may be at most 399 for context-unet with this spacing"):
        load()


def test_a_model_is_declared_in_params_alone(set_params: Any) -> None:
    new = {"network": {"architecture": "residual-unet", "dropout": 0.2}, "schedule": {"timesteps": 300}}
    set_params({"diffusion.models": ["mine"], "diffusion.mine": new, "diffusion.guidance.mine": {"w": 1.0}})
    params = load()
    settings = settings_of("mine", params)
    assert settings.network.architecture == "residual-unet" and settings.network.dropout == 0.2
    assert settings.schedule.timesteps == 300 and settings.schedule.beta_end == params[Diffusion].base.schedule.beta_end
    assert settings.training == params[Diffusion].base.training
    assert guidance_of("mine", params).w == 1.0
    set_params({"diffusion.other": {}, "diffusion.models": ["other"]})
    assert "guidance has no section other; add it, {} if nothing differs from its base" in refusal()
