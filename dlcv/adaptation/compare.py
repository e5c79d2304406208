"""The stage `compare`: the variants of DANN on one scenario, each beside the source alone with the same settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlcv import tracking
from dlcv.adaptation import validator
from dlcv.adaptation.scores import Judged, gain, label, protocol, score
from dlcv.adaptation.sections import Adaptation
from dlcv.adaptation.tasks import METRICS, domain, scenario_of, variant_folder
from dlcv.adaptation.trained import answer, load
from dlcv.files import write_json
from dlcv.nested import flatten
from dlcv.params import Params
from dlcv.weights import training_of


def run(name: str, params: Params) -> Path:
    """Score the variants on the scenario `name`.

    Returns:
        The JSON of their scores.

    Raises:
        UserError: no such scenario, no prepared data, or no weights.
    """
    scenario, section = scenario_of(name, params), params[Adaptation]
    source, target = domain(scenario.source, "val"), domain(scenario.target, "val")
    unlabelled = domain(target.name, "train").images[: validator.PICTURES]
    variants: dict[str, dict[str, Any]] = {}
    candidates, accuracies = {}, {}
    for variant in section.comparison.variants:
        judged = {}
        for row, method in (("trained_on_source", "supervised"), ("dann", "dann")):
            network, about = load(variant_folder(variant, name) / method)
            taught = row == "dann"
            judged[row] = Judged(about, answer(network, source.images, taught), answer(network, target.images, taught))
            candidates[about["name"]] = validator.signs(
                judged[row].on_source, source, answer(network, unlabelled).logits
            )
            accuracies[about["name"]] = float((judged[row].on_target.digits == target.labels).mean())
        about = judged["dann"].about
        variants[variant] = {
            "label": label("dann", about),
            "settings": section.variants[variant].model_dump(by_alias=True, exclude_none=True),
            "network": about["architecture"]["network"],
            "parameters": about["parameters"],
            "trained_on_source": score([judged["trained_on_source"]], source, target, params.seed),
            "dann": score([judged["dann"]], source, target, params.seed),
            "gain": gain([judged["dann"]], [judged["trained_on_source"]], target, params.seed),
            "trainings": [training_of(one.about) for one in judged.values()],
        }
    chosen = validator.choice(candidates, section.validator, accuracies) if candidates else None
    scores = {
        "scenario": name,
        "steps": section.comparison.steps,
        "protocol": protocol(source, target, [section.comparison.seed], params),
        "variants": variants,
        "choice": chosen,
    }
    path = METRICS / f"{name}-variants.json"
    write_json(path, scores)
    with tracking.run(f"compare-{name}", area="adaptation", params=section.comparison.model_dump()) as tracked:
        tracked.scores({key: value for key, value in flatten(variants).items() if isinstance(value, float)})
    for scores_of in variants.values():
        for trained, row in zip(scores_of["trainings"], ("trained_on_source", "dann"), strict=True):
            tracking.add_scores(trained["sha256"], {f"{name}.accuracy": scores_of[row]["accuracy"]}, [])
    return path
