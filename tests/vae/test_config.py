"""The section `vae` of params.yaml: messages about bad values, and the profiles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dlcv.runtime.config import load
from dlcv.runtime.editing import apply_profile
from dlcv.runtime.errors import UserError
from dlcv.vae.config import Vae


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("width", 0.01, "vae.width: Input should be greater than or equal to 0.03125, not 0.01"),
        ("latent", 0, "vae.latent: Input should be greater than 0, not 0"),
        ("latent", 51.2, "vae.latent: Input should be a valid integer, not 51.2"),
        ("samples", 0, "vae.samples: Input should be greater than 0, not 0"),
        ("training.kl_weight", -1.0, "vae.training.kl_weight: Input should be greater than or equal to 0, not -1.0"),
        ("training.kl_weight", "1e-5", "vae.training.kl_weight: Input should be a valid number, not '1e-5'"),
        ("training.kld_weight", 1.0, "unknown key vae.training.kld_weight; did you mean kl_weight?"),
        ("training.batch_size", 1, "vae.training.batch_size: Input should be greater than 1, not 1"),
        ("training.ema_decay", 1.0, "vae.training.ema_decay: Input should be less than 1, not 1.0"),
        (
            "training.precision",
            "f16",
            "vae.training.precision: Input should be 'fp32', 'tf32', 'bf16' or 'fp16', not 'f16'",
        ),
        ("training.snapshots", 0, "vae.training.snapshots: Input should be greater than 0, not 0"),
        ("tsne.perplexity", 400, "vae.tsne: perplexity has to be below a third of images"),
    ],
)
def test_bad_value_is_named_with_its_key(set_params: Any, key: str, value: object, message: str) -> None:
    set_params({f"vae.{key}": value})
    with pytest.raises(UserError) as error:
        load()
    assert f"params.yaml: {message}" in str(error.value) and "\n" not in str(error.value)


def test_the_profiles_have_the_reports_weight_and_full_its_width(study: Path) -> None:
    for name in ("smoke", "sample", "course", "full"):
        apply_profile(name)
        section = load()[Vae]
        assert section.training.kl_weight == 1e-5 and section.latent == 512, name
        assert (section.width == 1.0) >= (name == "full"), name
