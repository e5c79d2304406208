"""The source alone, learned as Generate To Adapt learns it: its F and C, its changes of pictures, no D and no G.

What the whole method reads beyond this comes from the target.
"""

from __future__ import annotations

from dlcv.adaptation import gta
from dlcv.adaptation.method import Plan
from dlcv.adaptation.sections import Gta
from dlcv.params import Params


def build(task: str, params: Params) -> Plan:
    """The method as params.yaml sets it for the scenario `task`, with fresh weights."""
    return gta.build(task, params.with_sections(params[Gta].model_copy(update={"adversarial_weight": 0.0})))
