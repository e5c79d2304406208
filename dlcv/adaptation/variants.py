"""What a variant of the comparison changes, and where its trainings lie. Light to import."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlcv.adaptation.config import Adaptation, Dann, Deep, Mish
from dlcv.adaptation.tasks import OUT
from dlcv.runtime.config import Params
from dlcv.runtime.errors import expect


def variant_folder(variant: str, scenario: str) -> Path:
    """Where the trainings of a variant lie, `supervised` and `dann`."""
    return OUT / f"{scenario}-variants" / variant


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
