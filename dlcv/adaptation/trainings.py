"""What is trained, on which data, and where it is written. Light to import, so that a wrong name is found at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dlcv.adaptation.config import COMPARED, DIGITS, METHODS, OUT, SIZE, STAGES, SUPERVISED, Adaptation, Dann, Scenario
from dlcv.data.config import Data
from dlcv.data.prepared import SplitName, load_split, read_card
from dlcv.runtime.config import Params
from dlcv.runtime.errors import UserError, expect


@dataclass(frozen=True)
class Task:
    """One training.

    Attributes:
        method: a key of `METHODS`.
        name: of the domain or the scenario.
        seed: of the weights, the batches and every other random number.
        variant: whose settings replace those of params.yaml.
    """

    method: str
    name: str
    seed: int
    variant: str | None = None

    @property
    def folder(self) -> Path:
        """Where weights and curve are written."""
        own = self.method if self.variant is None else f"variants/{self.variant}"
        return OUT / self.name / f"{own}-{self.seed}"

    def params(self, params: Params) -> Params:
        """`params` with the overrides of the variant."""
        if self.variant is None:
            return params
        section = params[Adaptation]
        dann = section.variants[self.variant].dann or params[Dann]
        return params.with_sections(section.with_variant(self.variant), dann)

    def domains(self, params: Params) -> dict[str, str]:
        """The domain of each role: `source` and, for a method that adapts, `target`."""
        method = METHODS[self.method]
        if method.on == "domain":
            return {"source": self.name}
        scenario = params[Adaptation].scenarios[self.name]
        roles: dict[str, str] = {"source": scenario.source, "target": scenario.target}
        return {role: name for role, name in roles.items() if role == "source" or method.adapts}

    def stage(self, params: Params) -> str:
        """The address of its DVC stage."""
        stage, key = self.method, f"{self.name}-{self.seed}"
        if self.variant is not None:
            own = params[Adaptation].variants[self.variant].dann
            stage = "baseline" if not METHODS[self.method].adapts else "network" if own is None else "update"
            key = f"{self.variant}-{key}"
        return f"{STAGES}:{stage}@{key}"


def task_of(method: str, name: str, params: Params, seed: int | None = None, variant: str | None = None) -> Task:
    """The training that a command names.

    Args:
        name: of the domain or the scenario, whichever the method is trained on.
        seed: None for the first of `adaptation.seeds`, or with a variant of `adaptation.comparison.seeds`.

    Raises:
        UserError: no such method, domain, scenario or variant, a method without variants, or no prepared images of
            28 pixels.
    """
    section = params[Adaptation]
    expect("method", method, METHODS)
    if METHODS[method].on == "domain":
        expect("domain", name, params[Data].domains)
    else:
        scenario_of(name, params)
    if variant is not None:
        expect("variant", variant, section.variants)
        if method not in (allowed := (COMPARED, METHODS[COMPARED].baseline)):
            raise UserError(f"{method} has no variants; use --variant with {' or '.join(allowed)}")
    seeds = section.seeds if variant is None else section.comparison.seeds
    task = Task(method, name, seeds[0] if seed is None else seed, variant)
    for domain in task.domains(params).values():
        read_card(DIGITS / domain, SIZE)
    return task


def scenario_of(name: str, params: Params) -> Scenario:
    """The scenario `name`, "mnistm-svhn".

    Raises:
        UserError: no such scenario, or one whose domains are not in `data.domains`.
    """
    scenarios = params[Adaptation].scenarios
    expect("scenario", name, scenarios)
    for domain in (scenarios[name].source, scenarios[name].target):
        if domain not in params[Data].domains:
            raise UserError(f"params.yaml: scenario {name} needs the domain {domain}; add it to data.domains")
    return scenarios[name]


def methods_of(scenario: str, params: Params) -> list[str]:
    """The methods that are trained on a scenario, in the order of the table."""
    return [method for method, scenarios in params[Adaptation].methods.items() if scenario in scenarios]


def baseline_of(task: Task, params: Params) -> Task:
    """The source-only training that an adapted one is compared with."""
    section, baseline = params[Adaptation], METHODS[task.method].baseline
    name = task.name if METHODS[baseline].on == "scenario" else section.scenarios[task.name].source
    return Task(baseline, name, task.seed, section.baseline_variant(task.variant) if task.variant else None)


def variants_of(scenario: str, params: Params) -> dict[str, list[tuple[Task, Task]]]:
    """The variants on a scenario: for each seed the training and its source-only baseline."""
    comparison = params[Adaptation].comparison
    tasks = {name: [Task(COMPARED, scenario, seed, name) for seed in comparison.seeds] for name in comparison.variants}
    return {name: [(task, baseline_of(task, params)) for task in each] for name, each in tasks.items()}


def trainings(params: Params) -> dict[str, list[Task]]:
    """Every training but those of variants, by method."""
    section = params[Adaptation]
    names: dict[str, list[str]] = {SUPERVISED: list(params[Data].domains), **section.methods}
    for method, scenarios in section.methods.items():
        baseline = METHODS[method].baseline
        if baseline != SUPERVISED:
            names[baseline] = list(section.baselines.get(method, [])) if METHODS[baseline].on == "domain" else scenarios
    return {
        method: [Task(method, name, seed) for name in names.get(method, []) for seed in section.seeds]
        for method in METHODS
    }


@dataclass(frozen=True)
class Domain:
    """One split of the prepared digits of a domain."""

    name: str
    card: dict[str, Any]
    images: np.ndarray  # uint8, N x 28 x 28 x 3 in [0, 255]
    labels: np.ndarray  # int64, N


def load_domain(name: str, split: SplitName) -> Domain:
    """Open one split of the prepared domain `name`. Images are read when they are indexed.

    Raises:
        UserError: the domain is not prepared, has no labels, or has images of another size.
    """
    prepared = load_split(DIGITS / name, split)
    if prepared.labels is None:
        raise UserError(f"the digits in {DIGITS / name} have no labels; prepare them from a source with labels")
    return Domain(name, read_card(DIGITS / name, SIZE), prepared.images, prepared.labels)
