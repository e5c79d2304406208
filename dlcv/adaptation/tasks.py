"""What can be trained, and where it lies. Light to import, so that a wrong name is answered at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dlcv.adaptation.sections import METHODS, Adaptation, Scenario
from dlcv.data.prepared import SplitName, load_split, read_card
from dlcv.data.sections import Data
from dlcv.errors import UserError, expect
from dlcv.params import Params
from dlcv.provenance import Provenance, code_hashes

DIGITS = Path("data/digits")
OUT = Path("out/adaptation")
METRICS = Path("metrics/adaptation")


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
        UserError: the domain is not prepared.
    """
    prepared = load_split(DIGITS / name, split)
    if prepared.labels is None:
        raise UserError(f"the digits in {DIGITS / name} have no labels; prepare them from a source with labels")
    return Domain(name, read_card(DIGITS / name), prepared.images, prepared.labels)


def balanced_count(source: Domain, target: Domain, most: int) -> int:
    """How many pictures of each domain can be looked at in equal numbers, `most` at most."""
    return min(len(source.labels), len(target.labels), most)


def provenance_of(method: str, task: str, params: Params) -> Provenance:
    """What a training depends on.

    Raises:
        UserError: an unknown method or task, or no prepared data.
    """
    domains = domains_of(method, task, params)
    values: dict[str, Any] = {
        "seed": params.seed,
        **domains,
        "network": params[Adaptation].network,
        "training": params[Adaptation].training.model_dump(),
    }
    if (own := METHODS[method]) is not None:
        values[method] = params[own].model_dump(by_alias=True)
    return Provenance(
        params=values,
        data={domain: read_card(DIGITS / domain)["sha256"] for domain in domains.values()},
        code=code_hashes(["dlcv.adaptation.train", f"dlcv.adaptation.{method}"]),
    )
