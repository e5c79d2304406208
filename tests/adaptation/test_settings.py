"""What of params.yaml each method answers to, against the `params` of the stage that trains it."""

from __future__ import annotations

import copy
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from dlcv.adaptation.config import METHODS
from dlcv.runtime.config import Params, load, validate
from dlcv.runtime.nested import flatten

REPOSITORY = Path(__file__).parent.parent.parent
READ = ("adaptation.network", "adaptation.networks", "adaptation.training", "dann", "gta", "selftraining")
# Where a number a little larger or smaller, or the contrary of a truth, will not do.
OTHERS = {
    "adaptation.network": "wide",
    "adaptation.networks.deep.poolings": 5,
    "adaptation.networks.mish.hidden": [64],
    "adaptation.training.schedule": "restarts",
    "adaptation.training.precision": "bf16",
    "dann.update": "alternating",
    "gta.grey": ["usps-mnistm"],
    "selftraining.network": "wide",
    "selftraining.schedule": "constant",
}


def other(key: str, value: Any) -> Any:
    """Another value for `key`, of the same type and in its range."""
    if key in OTHERS:
        return OTHERS[key]
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int) else value / 2 if value else 0.5


def with_value(raw: dict[str, Any], key: str, value: Any) -> Params:
    """The params of `raw` with another value for the dotted `key`."""
    changed = copy.deepcopy(raw)
    *parents, last = key.split(".")
    node = changed
    for parent in parents:
        node = node[parent]
    node[last] = value
    return validate(changed, "params.yaml")


@pytest.mark.parametrize("method", METHODS)
def test_a_method_answers_to_what_its_stage_names_and_to_nothing_else(method: str, study: Path) -> None:
    raw = load().raw
    raw["gta"] |= {"width": 0.0625, "noise": 8}  # quick to build
    stage = YAML(typ="safe").load((REPOSITORY / "stages/adaptation/dvc.yaml").read_text())["stages"]
    named = stage[method]["params"]
    build = import_module(f"dlcv.adaptation.{method}").build
    task = "usps" if method == "supervised" else "usps-mnistm"

    keys = {key: value for key, value in flatten(raw).items() if key.startswith(READ)}
    before = build(task, validate(raw, "params.yaml")).settings
    answered = {
        key for key, value in keys.items() if build(task, with_value(raw, key, other(key, value))).settings != before
    }
    expected = {key for key in keys if any(key == name or key.startswith(f"{name}.") for name in named)}
    assert answered == expected
