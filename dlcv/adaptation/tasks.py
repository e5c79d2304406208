"""What can be trained, and where it lies. Light to import, so that a wrong name is answered at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dlcv.adaptation.sections import METHODS, Adaptation, Dann, Deep, Mish, Scenario
from dlcv.data.prepared import SplitName, load_split, read_card
from dlcv.data.sections import Data
from dlcv.errors import UserError, expect
from dlcv.params import Params
from dlcv.provenance import Provenance, code_hashes

DIGITS = Path("data/digits")
OUT = Path("out/adaptation")
METRICS = Path("metrics/adaptation")
SIZE = 28  # pixels


@dataclass(frozen=True)
class Task:
    """One training: a method on a domain (`supervised`) or a scenario (every other), from one seed."""

    method: str
    name: str  # of the domain or scenario
    seed: int

    @property
    def folder(self) -> Path:
        """Where its weights and curve lie: under its task, so that a scenario's evaluation depends on one folder."""
        return OUT / self.name / f"{self.method}-{self.seed}"


def variant_folder(variant: str, scenario: str) -> Path:
    """Where the trainings of a variant lie, `supervised` and `dann`."""
    return OUT / f"{scenario}-variants" / variant


def domains_of(method: str, task: str, params: Params) -> dict[str, str]:
    """The domains that play `source` and, for a method that adapts, `target`.

    Args:
        task: a domain for `supervised`, a scenario of `adaptation.scenarios` for every other method.

    Raises:
        UserError: no such method, domain or scenario.
    """
    expect("method", method, METHODS)
    if method == "supervised":
        expect("domain", task, params[Data].domains)
        return {"source": task}
    scenario = scenario_of(task, params)
    return {"source": scenario.source, "target": scenario.target}


def scenario_of(name: str, params: Params) -> Scenario:
    """The scenario `name`, "mnistm-svhn".

    Raises:
        UserError: params.yaml has no such scenario.
    """
    scenarios = params[Adaptation].scenarios
    expect("scenario", name, scenarios)
    for role in (scenarios[name].source, scenarios[name].target):
        if role not in params[Data].domains:
            raise UserError(f"params.yaml: scenario {name} needs the domain {role}; add it to data.domains")
    return scenarios[name]


def methods_of(scenario: str, params: Params) -> list[str]:
    """The methods that are trained on a scenario, in the order of the table."""
    return [method for method, scenarios in params[Adaptation].methods if scenario in scenarios]


def base_of(row: str) -> str:
    """The row of a scenario's table that a gain is over: the source alone, learned as the method learns it.

    A method that brings a network of its own has one beside it; DANN's is the row of `supervised`.
    """
    return f"{row}_source" if f"{row}_source" in METHODS else "trained_on_source"


def with_variant(name: str, params: Params) -> Params:
    """What params.yaml says once the variant `name` has its way, with the steps of the comparison.

    Raises:
        UserError: no such variant.
    """
    section, dann = params[Adaptation], params[Dann]
    expect("variant", name, section.variants)
    variant = section.variants[name].model_dump(exclude_none=True)
    networks = section.networks
    if "poolings" in variant:
        networks = networks.model_copy(update={"deep": Deep(poolings=variant["poolings"])})
    if "hidden" in variant:
        networks = networks.model_copy(update={"mish": Mish(hidden=variant["hidden"])})
    own: dict[str, Any] = {
        key: variant[key] for key in ("dropout", "learning_rate", "weight_decay", "schedule") if key in variant
    }
    training = section.training.model_copy(update={**own, "steps": section.comparison.steps})
    changed = section.model_copy(
        update={"network": variant.get("network", section.network), "networks": networks, "training": training}
    )
    adversarial = ("update", "lambda_", "joint_batch", "information")
    return params.with_sections(
        changed, dann.model_copy(update={key: variant[key] for key in adversarial if key in variant})
    )


@dataclass(frozen=True)
class Domain:
    """A split of a prepared domain of digits."""

    name: str
    card: dict[str, Any]
    images: np.ndarray  # uint8, N x 28 x 28 x 3
    labels: np.ndarray  # int64, N


def domain(name: str, split: SplitName) -> Domain:
    """Open a split of the prepared domain `name`, without reading its pictures.

    Raises:
        UserError: the domain is not prepared, has no labels, or has pictures of another size.
    """
    prepared = load_split(DIGITS / name, split)
    if prepared.labels is None:
        raise UserError(f"the digits in {DIGITS / name} have no labels; prepare them from a source with labels")
    return Domain(name, read_card(DIGITS / name, SIZE), prepared.images, prepared.labels)


def balanced_count(source: Domain, target: Domain, most: int) -> int:
    """How many pictures of each domain can be looked at in equal numbers, `most` at most."""
    return min(len(source.labels), len(target.labels), most)


def provenance_of(task: Task, params: Params) -> Provenance:
    """What a training depends on.

    Raises:
        UserError: an unknown method or task, or no prepared data of 28 pixels.
    """
    domains = domains_of(task.method, task.name, params)
    section = params[Adaptation]
    values: dict[str, Any] = {
        "seed": task.seed,
        **domains,
        "networks": section.networks.model_dump(),
        "training": section.training.model_dump(),
    }
    if task.method in ("supervised", "dann"):
        values["network"] = section.network
    if (own := METHODS[task.method]) is not None:
        values[task.method] = params[own].model_dump(by_alias=True)
    return Provenance(
        params=values,
        data={domain: read_card(DIGITS / domain, SIZE)["sha256"] for domain in domains.values()},
        code=code_hashes(["dlcv.adaptation.train", f"dlcv.adaptation.{task.method}"]),
    )
