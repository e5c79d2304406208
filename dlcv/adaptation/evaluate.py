"""The stage `evaluate`: all trainings of one scenario on its validation images.

The validation labels of the target are used here, after all training. Only the oracle chooses a training by them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from dlcv.adaptation import benchmark
from dlcv.adaptation.config import (
    CEILING,
    COMPARED,
    METHODS,
    METRICS,
    SUPERVISED,
    Adaptation,
    Dann,
    Variant,
    evaluation_folder,
)
from dlcv.adaptation.figures import draw
from dlcv.adaptation.scores import (
    Evaluated,
    accuracy_by_target_statistics,
    by_seed,
    candidates_of,
    choose,
    evaluated,
    gain,
    label_of,
    mean,
    protocol,
    score,
)
from dlcv.adaptation.trainings import Domain, Task, baseline_of, load_domain, methods_of, scenario_of, variants_of
from dlcv.engine.weights import training_of
from dlcv.evaluation import headline
from dlcv.runtime import summaries
from dlcv.runtime.config import Params
from dlcv.runtime.files import replacing, write_json
from dlcv.runtime.progress import over
from dlcv.runtime.publish import publish, publish_training

SOURCE_ROW, TARGET_ROW = "trained_on_source", "trained_on_target"


def run(name: str, params: Params) -> Path:
    """Score the trainings of the scenario `name`.

    Returns:
        The JSON of its scores. Beside it are figures, `accuracy.csv` and what validators see of a training (`seen/`).

    Raises:
        UserError: no such scenario, no prepared data, or no weights.
    """
    scenario, section = scenario_of(name, params), params[Adaptation]
    source, target = load_domain(scenario.source, "val"), load_domain(scenario.target, "val")
    tasks = rows_of(name, params)
    networks = {
        row: [evaluated(task.folder, source, target) for task in each]
        for row, each in over(tasks.items(), f"{name}: predictions", "row")
    }

    rows: dict[str, dict[str, Any]] = {}
    for row, each in networks.items():
        about = each[0].about
        rows[row] = {
            "label": label_of(about),
            "adapts": METHODS[about["method"]].adapts,
            "network": about["architecture"]["network"],
            "parameters": about["parameters"],
            **score(each, source, target, params.seed),
            "trainings": [training_of(one.about) for one in each],
        }
        baseline = baseline_row(about["method"])
        if METHODS[about["method"]].adapts:
            rows[row]["gain"] = {"over": baseline, **gain(each, networks[baseline], target, params.seed)}
        if about["statistics"] == "domain":
            rows[baseline]["accuracy_by_target_statistics"] = mean(
                accuracy_by_target_statistics(task.folder, target) for task in tasks[baseline]
            )

    # A training on labels of the target is no candidate: nobody could choose it without them.
    candidates = [one for row, each in networks.items() if row != TARGET_ROW for one in each]
    compared = name in section.comparison.scenarios
    variants = variant_networks(name, source, target, params) if compared else {}
    seen, accuracies = candidates_of([*candidates, *variants.values()], target)
    scores = {
        "scenario": name,
        "protocol": protocol(source, target, params),
        "rows": rows,
        "choice": choose(candidates, target, section.validator),
        "validators": benchmark.rank(seen, accuracies),
    }
    if compared:
        scores["variants"] = compare(name, variants, source, target, params)

    with replacing(evaluation_folder(name)) as folder:
        folder.mkdir(parents=True)
        write_json(folder / summaries.FILE, scores)
        adapted = {
            f"{COMPARED}-{variant}": [variants[task.folder] for task, _ in pairs]
            for variant, pairs in (variants_of(name, params) if compared else {}).items()
        }
        shown = {row: by_seed(each, target) for row, each in {**networks, **adapted}.items()}
        headline.write(METRICS / name, folder, shown, same_images=True)
        benchmark.write(folder / "seen", seen, accuracies)
        draw(folder, name, source, target, networks, rows, params)
        table = [{"trained_by": values["label"], "accuracy": values["accuracy"]} for values in rows.values()]
        pd.DataFrame(table).to_csv(folder / "accuracy.csv", index=False, float_format="%.6g")
    track(name, scores, params)
    return evaluation_folder(name) / summaries.FILE


def rows_of(name: str, params: Params) -> dict[str, list[Task]]:
    """The rows of a scenario's table: for each the trainings, one of each seed."""
    scenario, seeds = scenario_of(name, params), params[Adaptation].seeds
    rows = {SOURCE_ROW: [Task(SUPERVISED, scenario.source, seed) for seed in seeds]}
    for method in methods_of(name, params):
        tasks = [Task(method, name, seed) for seed in seeds]
        rows.setdefault(baseline_row(method), [baseline_of(task, params) for task in tasks])
        rows[method] = tasks
    return {**rows, TARGET_ROW: [Task(CEILING, scenario.target, seed) for seed in seeds]}


def baseline_row(method: str) -> str:
    """The row of the source-only baseline that a method is compared with."""
    baseline = METHODS[method].baseline
    return SOURCE_ROW if baseline == SUPERVISED else baseline


def variant_networks(name: str, source: Domain, target: Domain, params: Params) -> dict[Path, Evaluated]:
    """The variants on the scenario `name` and their source-only baselines, by the folder of the training."""
    # Several variants have the same baseline.
    pairs = [pair for pairs in variants_of(name, params).values() for pair in pairs]
    folders = dict.fromkeys(task.folder for pair in pairs for task in reversed(pair))
    return {folder: evaluated(folder, source, target) for folder in folders}


def compare(name: str, known: dict[Path, Evaluated], source: Domain, target: Domain, params: Params) -> dict[str, Any]:
    """Scores of the variants on the scenario `name`, each with its source-only baseline, and the choice among all.

    Args:
        known: the result of `variant_networks`.
    """
    section = params[Adaptation]
    variants: dict[str, dict[str, Any]] = {}
    for variant, tasks in variants_of(name, params).items():
        trained, baseline = ([known[task.folder] for task in each] for each in zip(*tasks, strict=True))
        about = trained[0].about
        variants[variant] = {
            "label": label_of(about),
            "settings": changes(section.variants[variant], params[Dann]),
            "network": about["architecture"]["network"],
            "parameters": about["parameters"],
            SOURCE_ROW: score(baseline, source, target, params.seed),
            COMPARED: score(trained, source, target, params.seed),
            "gain": gain(trained, baseline, target, params.seed),
            "trainings": [training_of(one.about) for one in (*baseline, *trained)],
        }
    return {
        "steps": section.comparison.steps,
        "seeds": section.comparison.seeds,
        "variants": variants,
        "choice": choose(list(known.values()), target, section.validator),
    }


def changes(variant: Variant, dann: Dann) -> dict[str, Any]:
    """The settings that a variant changes, by the names in params.yaml; those of DANN where they differ from `dann`."""
    own = variant.model_dump(by_alias=True, exclude_none=True)
    usual = dann.model_dump(by_alias=True)
    different = {key: value for key, value in own.pop("dann", {}).items() if value != usual[key]}
    return {**own, **different}


def track(name: str, scores: dict[str, Any], params: Params) -> None:
    """Publish the scores to MLflow: in a run of the evaluation and in the runs of the trainings."""
    rows, figures = scores["rows"], sorted(evaluation_folder(name).glob("*.png"))
    compared = {
        variant: {key: values[key] for key in (SOURCE_ROW, COMPARED, "gain")}
        for variant, values in scores.get("variants", {}).get("variants", {}).items()
    }
    publish(
        f"adaptation {name}",
        params[Adaptation].tsne.model_dump(),
        {
            **rows,
            **{who: {"accuracy": scores["choice"][who]["accuracy"]} for who in ("chosen", "oracle")},
            "variants": compared,
        },
        figures,
    )
    for training, accuracy, curve in published(scores, name, figures):
        # A training on one domain is evaluated in several scenarios.
        key = "accuracy" if training["name"].startswith(f"{name}/") else f"{name}.accuracy"
        publish_training(training, "adaptation", {key: accuracy}, curve)


def published(
    scores: dict[str, Any], name: str, figures: list[Path]
) -> Iterator[tuple[dict[str, str], float, list[Path]]]:
    """Each training with its accuracy, and its curve if it has a figure."""
    for row, values in scores["rows"].items():
        accuracies = zip(values["trainings"], values["seeds"].values(), strict=True)
        for index, (training, accuracy) in enumerate(accuracies):
            # The figure is of the first seed.
            yield training, accuracy, [one for one in figures if one.stem == f"curve-{row}" and index == 0]
    for values in scores.get("variants", {}).get("variants", {}).values():
        of_each = [accuracy for row in (SOURCE_ROW, COMPARED) for accuracy in values[row]["seeds"].values()]
        for training, accuracy in zip(values["trainings"], of_each, strict=True):
            yield training, accuracy, []
