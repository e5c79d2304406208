"""The stage `compare`: the variants of DANN on one scenario, each beside the source alone with the same settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlcv.adaptation.config import Adaptation
from dlcv.adaptation.rows import METRICS
from dlcv.adaptation.scores import Judged, choose, gain, judge, label, protocol, score
from dlcv.adaptation.tasks import domain, scenario_of
from dlcv.adaptation.variants import variant_folder
from dlcv.engine.weights import training_of
from dlcv.runtime import tracking
from dlcv.runtime.config import Params
from dlcv.runtime.files import write_json
from dlcv.runtime.nested import flatten


def run(name: str, params: Params) -> Path:
    """Score the variants on the scenario `name`.

    Returns:
        The JSON of their scores.

    Raises:
        UserError: no such scenario, no prepared data, or no weights.
    """
    scenario, section = scenario_of(name, params), params[Adaptation]
    source, target = domain(scenario.source, "val"), domain(scenario.target, "val")
    variants: dict[str, dict[str, Any]] = {}
    candidates: list[Judged] = []
    for variant in section.comparison.variants:
        base, dann = (
            judge(variant_folder(variant, name) / method, source, target) for method in ("supervised", "dann")
        )
        candidates += [base, dann]
        variants[variant] = {
            "label": label("dann", dann.about),
            "settings": section.variants[variant].model_dump(by_alias=True, exclude_none=True),
            "network": dann.about["architecture"]["network"],
            "parameters": dann.about["parameters"],
            "trained_on_source": score([base], source, target, params.seed),
            "dann": score([dann], source, target, params.seed),
            "gain": gain([dann], [base], target, params.seed),
            "trainings": [training_of(one.about) for one in (base, dann)],
        }
    scores = {
        "scenario": name,
        "steps": section.comparison.steps,
        "protocol": protocol(source, target, [section.comparison.seed], params),
        "variants": variants,
        "choice": choose(candidates, target, section.validator),
    }
    path = METRICS / f"{name}-variants.json"
    write_json(path, scores)
    with tracking.run(f"compare-{name}", area="adaptation", params=section.comparison.model_dump()) as tracked:
        tracked.scores({key: value for key, value in flatten(variants).items() if isinstance(value, float)})
    for scores_of in variants.values():
        for trained, row in zip(scores_of["trainings"], ("trained_on_source", "dann"), strict=True):
            tracking.add_scores(trained["sha256"], {f"{name}.accuracy": scores_of[row]["accuracy"]}, [])
    return path
