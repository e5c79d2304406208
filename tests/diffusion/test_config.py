"""The section `ddim` of params.yaml: what is refused, and in which words."""

from __future__ import annotations

from typing import Any

import pytest

from dlcv.runtime.config import load
from dlcv.runtime.errors import UserError


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("sampling.eta", 1.5, "ddim.sampling.eta: Input should be less than or equal to 1, not 1.5"),
        ("sampling.spacing", "linear", "ddim.sampling.spacing: Input should be 'uniform', 'uniform+1', 'trailing' or"),
        ("sampling.steps", 1000, "ddim: sampling.steps may be 999 at most with this schedule and spacing, not 1000"),
        ("table.steps", [10, 1001], "ddim: table.steps may be 1000 at most with this schedule and spacing, not 1001"),
        ("table.steps", [20, 10], "ddim.table.steps: has to rise from value to value, not [20, 10]"),
        ("table.etas", [0.0, 0.0], "ddim.table.etas: has to rise from value to value, not [0.0, 0.0]"),
        ("figure_etas", [], "ddim.figure_etas: List should have at least 1 item"),
        ("schedule.beta_end", 0.00001, "ddim.schedule: beta_start 0.0001 has to be at most beta_end 1e-05"),
        ("schedule.beta_end", 1.0, "ddim.schedule.beta_end: Input should be less than 1, not 1.0"),
        ("network.patch", 3, "ddim.network.patch: Input should be 1, 2 or 4, not 3"),
        ("network.multipliers", [1] * 7, "ddim.network: 7 levels behind patches of 2 are too many for 64 pixels"),
        ("network.width", 0.01, "ddim.network.width: Input should be greater than or equal to 0.03125"),
        ("network.dropout", 1.0, "ddim.network.dropout: Input should be less than 1, not 1.0"),
        ("training.target", "x0", "ddim.training.target: Input should be 'noise', 'velocity' or 'image', not 'x0'"),
        ("training.precision", "fp16", "ddim.training.precision: Input should be 'fp32' or 'bf16', not 'fp16'"),
        ("training.step", 3, "unknown key ddim.training.step; did you mean steps?"),
        ("samples", 3, "ddim.samples: Input should be greater than or equal to 4, not 3"),
    ],
)
def test_bad_value_is_named_with_its_key(set_params: Any, key: str, value: object, message: str) -> None:
    set_params({f"ddim.{key}": value})
    with pytest.raises(UserError) as error:
        load()
    assert f"params.yaml: {message}" in str(error.value)
    assert "\n" not in str(error.value)
