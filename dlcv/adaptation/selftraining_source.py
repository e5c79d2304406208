"""The source alone, learned as self-training learns it: its network, its changes of pictures, its average of weights.

What the whole method reads beyond this comes from the target.
"""

from __future__ import annotations

from dlcv.adaptation import selftraining
from dlcv.adaptation.method import Plan
from dlcv.adaptation.sections import SelfTraining
from dlcv.params import Params


def build(task: str, params: Params) -> Plan:
    """The method as params.yaml sets it, with fresh weights."""
    alone = params[SelfTraining].model_copy(update={"target_weight": 0.0, "information": 0.0})
    return selftraining.build(task, params.with_sections(alone))
