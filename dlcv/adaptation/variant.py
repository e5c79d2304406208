"""The stage `variant`: DANN with other settings on one scenario, and the source alone with the same."""

from __future__ import annotations

from pathlib import Path

from dlcv.adaptation import train
from dlcv.adaptation.config import Adaptation
from dlcv.adaptation.tasks import Task, scenario_of
from dlcv.adaptation.variants import variant_folder, with_variant
from dlcv.runtime.config import Params


def run(variant: str, scenario: str, params: Params) -> Path:
    """Train the variant of `adaptation.variants` on a scenario, from the seed of the comparison.

    Returns:
        The folder with a folder of weights for `supervised` and for `dann`.

    Raises:
        UserError: as `dlcv.adaptation.train.run`, or no such variant.
    """
    changed, folder = with_variant(variant, params), variant_folder(variant, scenario)
    seed = params[Adaptation].comparison.seed
    for method, task in (("supervised", scenario_of(scenario, params).source), ("dann", scenario)):
        train.run(Task(method, task, seed), changed, folder / method)
    return folder
