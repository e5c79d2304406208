"""The values of params.yaml that decide a training, against the `params` of its stage."""

from __future__ import annotations

import copy
import re
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from dlcv.adaptation import train
from dlcv.adaptation.config import METHODS
from dlcv.adaptation.trainings import Task, task_of
from dlcv.runtime.config import Params, load, validate
from dlcv.runtime.editing import apply_profile
from dlcv.runtime.nested import flatten

pytestmark = pytest.mark.slow  # whole trainings, samplings or evaluations

REPOSITORY = Path(__file__).parent.parent.parent
STAGES: dict[str, Any] = YAML(typ="safe").load((REPOSITORY / "stages/adaptation/dvc.yaml").read_text())["stages"]
TRAININGS = [name for name in STAGES if name != "evaluate"]
READ = ("adaptation.network", "adaptation.networks", "adaptation.training", "ceiling", "dann", "gta", "selftraining")
# Where a number a little larger or smaller, or the opposite truth value, is not valid.
OTHERS: dict[str, Any] = {
    "adaptation.network": "wide",
    "adaptation.networks.deep.poolings": 5,
    "adaptation.networks.mish.hidden": [64],
    "adaptation.training.schedule": "restarts",
    "adaptation.training.precision": "bf16",
    "ceiling.network": "wide",
    "dann.update": "alternating",
    "dann.class_shares": "estimated",
    "gta.grey": ["usps-mnistm"],
    "selftraining.network": "wide",
    "selftraining.schedule": "constant",
    "selftraining.class_shares": "estimated",
    "adaptation.comparison.seeds": [1],
    "adaptation.variants.wide.network": "mish",
    "adaptation.variants.wide.schedule": "constant",
    "adaptation.variants.paper.network": "wide",
    "adaptation.variants.paper.dann.update": "alternating",
    "adaptation.variants.paper.dann.class_shares": "estimated",
}
# The stages of variants: a training of each, and the values that its variant and the comparison replace.
VARIANTS = {
    "baseline": (Task("supervised", "usps", 0, "wide"), "schedule", "weight_decay"),
    "network": (Task("dann", "usps-mnistm", 0, "wide"), "schedule", "weight_decay"),
    "update": (Task("dann", "usps-mnistm", 0, "paper"),),
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


def settings(task: Task, params: Params) -> dict[str, Any]:
    """What decides the training, apart from data and code."""
    return train.settings(task, train.plan_of(task, params), params)


def covers(named: list[str], key: str) -> bool:
    return any(key == name or key.startswith(f"{name}.") for name in named)


@pytest.mark.parametrize("method", METHODS)
def test_a_method_depends_on_what_its_stage_names_and_on_nothing_else(method: str, study: Path) -> None:
    raw = load().raw
    raw["gta"] |= {"width": 0.0625, "noise": 8}  # quick to build
    task = Task(method, "usps" if METHODS[method].on == "domain" else "usps-mnistm", 0)

    keys = {key: value for key, value in flatten(raw).items() if key.startswith(READ)}
    before = settings(task, validate(raw, "params.yaml"))
    decisive = {key for key, value in keys.items() if settings(task, with_value(raw, key, other(key, value))) != before}
    assert decisive == {key for key in keys if covers(STAGES[method]["params"], key)}


@pytest.mark.parametrize("stage", VARIANTS)
def test_a_variant_depends_on_what_its_stage_names_and_on_nothing_else(stage: str, study: Path) -> None:
    raw = load().raw
    # Each variant is compared with a baseline of equal settings; here one of its own.
    raw["adaptation"]["comparison"]["baselines"] += ["paper"]
    known, *replaced = VARIANTS[stage]
    named = [name.replace("${item.variant}", str(known.variant)) for name in STAGES[stage]["params"]]

    read = (*READ, "adaptation.comparison.seeds", "adaptation.comparison.steps", "adaptation.variants")
    keys = {key: value for key, value in flatten(raw).items() if key.startswith(read)}
    keys = {key: value for key, value in keys.items() if "variants" not in key or f".{known.variant}." in key}
    before = settings(known, validate(raw, "params.yaml"))
    decisive = {
        key for key, value in keys.items() if settings(known, with_value(raw, key, other(key, value))) != before
    }
    overridden = {"adaptation.network", *(f"adaptation.training.{key}" for key in ("steps", *replaced))}
    assert decisive == {key for key in keys if covers(named, key)} - overridden


def commands(params: Params) -> dict[str, tuple[str, str]]:
    """Command and output of every training stage, by address, as DVC resolves them."""
    found = {}
    for name in TRAININGS:
        stage = STAGES[name]
        lists = [value_at(params.raw, text) for text in stage["matrix"].values()]
        for values in product(*lists):
            item = dict(zip(stage["matrix"], map(str, values), strict=True))
            cmd, out = (
                re.sub(r"\$\{item\.(\w+)\}", lambda match: item[match[1]], text)  # noqa: B023
                for text in (stage["cmd"], stage["outs"][0])
            )
            found[f"stages/adaptation/dvc.yaml:{name}@{'-'.join(item.values())}"] = cmd, out
    return found


def value_at(raw: dict[str, Any], text: str) -> list[Any]:
    """The list that "${adaptation.seeds}" stands for."""
    node: Any = raw
    for part in text.removeprefix("${").removesuffix("}").split("."):
        node = node[part]
    return list(node)


def task_from(command: str, params: Params) -> Task:
    """The training that a command names."""
    _, _, _, _, _, method, name, *options = command.split()
    given = dict(zip(options[::2], options[1::2], strict=True))
    seed = int(given["--seed"]) if "--seed" in given else None
    return task_of(method, name, params, seed, given.get("--variant"))


@pytest.mark.parametrize("profile", [file.stem for file in sorted((REPOSITORY / "profiles").glob("*.yaml"))])
def test_no_two_trainings_are_the_same(profile: str, domains: Path) -> None:
    """And each knows the address and the output of its stage."""
    apply_profile(profile)
    params = load()
    plans: dict[tuple[str, str, str | None], dict[str, Any]] = {}  # settings do not depend on the seed
    made: dict[str, str] = {}
    for address, (command, out) in commands(params).items():
        task = task_from(command, params)
        assert (task.stage(params), str(task.folder)) == (address, out)
        key = (task.method, task.name, task.variant)
        if key not in plans:
            plans[key] = settings(task, params)
        inputs = repr(sorted(flatten({**plans[key], "seed": task.seed}).items()))
        assert inputs not in made, f"{address} trains the same as {made[inputs]}"
        made[inputs] = address
