"""What can be trained, and where it lies. Light to import, so that a wrong name is answered at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dlcv.adaptation.config import METHODS, Adaptation, Scenario
from dlcv.data.config import Data
from dlcv.data.prepared import SplitName, load_split, read_card
from dlcv.runtime.config import Params
from dlcv.runtime.errors import UserError, expect

DIGITS = Path("data/digits")
OUT = Path("out/adaptation")
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


def domains_of(method: str, task: str, params: Params) -> dict[str, str]:
    """The domains that play `source` and, for a method that adapts, `target`.

    NAME_source is what the method NAME has of the source alone.

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
    if method.endswith("_source"):
        return {"source": scenario.source}
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


def check(task: Task, params: Params) -> None:
    """Refuse a training that cannot be run, without torch.

    Raises:
        UserError: an unknown method or task, or no prepared data of 28 pixels.
    """
    for named in domains_of(task.method, task.name, params).values():
        read_card(DIGITS / named, SIZE)


@dataclass(frozen=True)
class Domain:
    """A split of a prepared domain of digits."""

    name: str
    card: dict[str, Any]
    images: np.ndarray  # uint8, N x 28 x 28 x 3
    labels: np.ndarray  # int64, N


def domain(name: str, split: SplitName) -> Domain:
    """Open a split of the prepared domain `name`, without reading its images.

    Raises:
        UserError: the domain is not prepared, has no labels, or has images of another size.
    """
    prepared = load_split(DIGITS / name, split)
    if prepared.labels is None:
        raise UserError(f"the digits in {DIGITS / name} have no labels; prepare them from a source with labels")
    return Domain(name, read_card(DIGITS / name, SIZE), prepared.images, prepared.labels)
