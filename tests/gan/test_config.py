"""The section `gan` of params.yaml: bases and overrides, and messages about bad values."""

from __future__ import annotations

from typing import Any

import pytest

from dlcv.gan.config import Gan
from dlcv.runtime.config import load
from dlcv.runtime.errors import UserError
from tests.gan.conftest import shipped


@pytest.mark.parametrize("model", ["dcgan", "dcgan-noisy-labels", "dcgan-k5", "sngan", "wgan-gp"])
def test_the_settings_of_a_model_are_the_base_and_its_section(model: str) -> None:
    written = shipped().raw["gan"]
    assert model in shipped()[Gan].models
    assert shipped()[Gan].settings[model].model_dump() == {**written["base"], **written[model]}


def test_the_models_have_the_architectures_of_their_reports() -> None:
    settings = shipped()[Gan].settings
    assert {model: settings[model].architecture for model in settings} == {
        "dcgan": "dcgan",
        "dcgan-noisy-labels": "dcgan",
        "dcgan-k5": "dcgan-k5",
        "sngan": "sngan",
        "wgan-gp": "wgan-gp",
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("dcgan.real_labels", [1.2, 0.9], "gan.dcgan.real_labels: has to be [low, high], not [1.2, 0.9]"),
        ("wgan-gp.fake_labels", [0.1, 0.0], "gan.wgan-gp.fake_labels: has to be [low, high], not [0.1, 0.0]"),
        ("sngan.fake_labels", [0.0], "gan.sngan.fake_labels: List should have at least 2 items"),
        ("dcgan-k5.betas", [0.5, 1.0], "gan.dcgan-k5.betas.1: Input should be less than 1, not 1.0"),
        ("dcgan.betas", [-0.1, 0.9], "gan.dcgan.betas.0: Input should be greater than or equal to 0, not -0.1"),
        ("models", ["dcgan", "dcgann"], "gan: models names dcgann, which has no section; did you mean dcgan?"),
        ("models", ["dcgan", "dcgan"], "gan: models has to name each model once, not ['dcgan', 'dcgan']"),
        (
            "pairs.report-001.b",
            "wgangp",
            "gan: pair report-001 needs wgangp; add it to gan.models or leave the pair out",
        ),
        ("models", ["dcgan"], "gan: pair report-000 needs dcgan-noisy-labels; add it to gan.models or leave the pair"),
        ("models", [], "gan.models: List should have at least 1 item"),
        ("dcgan-k5.step", 3, "unknown key gan.dcgan-k5.step; did you mean steps?"),
        ("models", ["dcgan_k5"], "gan: models names dcgan_k5, which has no section; did you mean dcgan-k5?"),
        ("sngan.loss", "bec", "gan.sngan.loss: there is no bec; did you mean bce?"),
        ("sngan.loss", "x", "gan.sngan.loss: there is no x; there are bce, hinge, wasserstein"),
        ("sngan.architecture", "dcgan5", "gan.sngan.architecture: there is no dcgan5; did you mean dcgan?"),
        ("sngan.swap_labels", 1.5, "gan.sngan.swap_labels: Input should be less than or equal to 1, not 1.5"),
        ("base.init_std", "2e-2", "gan.base.init_std: Input should be a valid number, not '2e-2'"),
        (
            "sngan.generator_learning_rate",
            "2e-4",
            "gan.sngan.generator_learning_rate: Input should be a valid number, not '2e-4'",
        ),
        (
            "wgan-gp.gradient_penalty_every",
            0,
            "gan.wgan-gp.gradient_penalty_every: Input should be greater than 0, not 0",
        ),
        ("dcgan.generator_width", 0.001, "gan.dcgan.generator_width: Input should be greater than or equal to 0.015"),
        ("base.batch_size", 1, "gan.base.batch_size: Input should be greater than 1, not 1"),
        ("base.ema_decay", 1.0, "gan.base.ema_decay: Input should be less than 1, not 1.0"),
    ],
)
def test_bad_value_is_named_with_its_key(set_params: Any, key: str, value: object, message: str) -> None:
    set_params({f"gan.{key}": value})
    with pytest.raises(UserError) as error:
        load()
    assert f"params.yaml: {message}" in str(error.value)
    assert "\n" not in str(error.value)
