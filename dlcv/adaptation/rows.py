"""What of a scenario is evaluated, and where the scores lie. Light to import, and no training depends on it."""

from __future__ import annotations

from pathlib import Path

from dlcv.adaptation.config import METHODS, Adaptation
from dlcv.adaptation.tasks import Task, scenario_of
from dlcv.runtime.config import Params

METRICS = Path("metrics/adaptation")


def methods_of(scenario: str, params: Params) -> list[str]:
    """The methods that are trained on a scenario, in the order of the table."""
    return [method for method, scenarios in params[Adaptation].methods if scenario in scenarios]


def base_of(row: str) -> str:
    """The row of a scenario's table that a gain is over: the source alone, learned as the method learns it.

    A method that brings a network of its own has one beside it; DANN's is the row of `supervised`.
    """
    return f"{row}_source" if f"{row}_source" in METHODS else "trained_on_source"


def rows_of(name: str, params: Params) -> dict[str, list[Task]]:
    """The rows of a scenario's table, and the trainings behind each, one for every seed."""
    scenario, seeds = scenario_of(name, params), params[Adaptation].seeds
    behind: dict[str, tuple[str, str]] = {"trained_on_source": ("supervised", scenario.source)}
    for method in methods_of(name, params):
        behind.setdefault(base_of(method), (base_of(method), name))
        behind[method] = (method, name)
    behind["trained_on_target"] = ("supervised", scenario.target)
    return {row: [Task(method, task, seed) for seed in seeds] for row, (method, task) in behind.items()}
