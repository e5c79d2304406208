"""The stage `evaluate`: one scenario, every training that has a part in it, on validation images.

The target's validation labels are read here, after all training; no training is chosen by them but the oracle's.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from dlcv.adaptation.config import Adaptation
from dlcv.adaptation.figures import draw
from dlcv.adaptation.rows import METRICS, base_of, rows_of
from dlcv.adaptation.scores import (
    accuracy_by_target_statistics,
    choose,
    gain,
    judge,
    label,
    mean,
    protocol,
    score,
    tsne_settings,
)
from dlcv.adaptation.tasks import OUT, domain, scenario_of
from dlcv.engine.weights import training_of
from dlcv.runtime import tracking
from dlcv.runtime.config import Params
from dlcv.runtime.files import replacing, write_json
from dlcv.runtime.nested import flatten


def run(name: str, params: Params) -> Path:
    """Score the trainings of the scenario `name`.

    Returns:
        The JSON of its scores; figures and `accuracy.csv` lie in `out/adaptation/NAME-evaluation/`.

    Raises:
        UserError: no such scenario, no prepared data, or no weights.
    """
    scenario = scenario_of(name, params)
    source, target = domain(scenario.source, "val"), domain(scenario.target, "val")
    tasks = rows_of(name, params)
    judged = {row: [judge(task.folder, source, target) for task in each] for row, each in tasks.items()}

    rows: dict[str, dict[str, Any]] = {}
    bases = {base_of(row) for row in judged}
    for row, trained in judged.items():
        about = trained[0].about
        rows[row] = {
            "label": label(row, about),
            "network": about["architecture"]["network"],
            "parameters": about["parameters"],
            **score(trained, source, target, params.seed),
            "trainings": [training_of(one.about) for one in trained],
        }
        if row == "selftraining_source":
            rows[row]["accuracy_by_target_statistics"] = mean(
                accuracy_by_target_statistics(task.folder, target) for task in tasks[row]
            )
        if row not in bases:
            base = base_of(row)
            rows[row]["gain"] = {"over": base, **gain(trained, judged[base], target, params.seed)}

    candidates = [one for row, trained in judged.items() if row != "trained_on_target" for one in trained]
    chosen = choose(candidates, target, params[Adaptation].validator)
    with replacing(OUT / f"{name}-evaluation") as folder:
        folder.mkdir(parents=True)
        draw(folder, name, source, target, judged, rows, params)
        accuracies = [{"trained_by": values["label"], "accuracy": values["accuracy"]} for values in rows.values()]
        pd.DataFrame(accuracies).to_csv(folder / "accuracy.csv", index=False, float_format="%.6g")
    images, perplexity = tsne_settings(source, target, params)
    scores = {
        "scenario": name,
        "protocol": {
            **protocol(source, target, params[Adaptation].seeds, params),
            "statistics": "BatchNorm's in self-training are those of the domain that is asked about",
            "tsne": {"images_of_each_domain": images, "perplexity": perplexity, "openTSNE": version("openTSNE")},
        },
        "rows": rows,
        "choice": chosen,
    }
    write_json(METRICS / f"{name}.json", scores)
    track(name, rows, chosen, params)
    return METRICS / f"{name}.json"


def track(name: str, rows: dict[str, dict[str, Any]], chosen: dict[str, Any], params: Params) -> None:
    """Show the scores in MLflow: in a run of the evaluation, and in the runs that made the weights."""
    figures = sorted((OUT / f"{name}-evaluation").glob("*.png"))
    values = {
        row: {key: value for key, value in flatten(scores).items() if isinstance(value, float)}
        for row, scores in rows.items()
    }
    with tracking.run(f"evaluate-{name}", area="adaptation", params=params[Adaptation].tsne.model_dump()) as tracked:
        tracked.scores({f"{row}.{key}": value for row, scores in values.items() for key, value in scores.items()})
        tracked.scores({f"{who}.accuracy": chosen[who]["accuracy"] for who in ("chosen", "oracle")})
        for figure in figures:
            tracked.figure(figure)
    for row, scores in rows.items():
        # It is of the first seed's training.
        curve = [figure for figure in figures if figure.stem == f"curve-{row}"]
        for trained, value in zip(scores["trainings"], scores["seeds"].values(), strict=True):
            tracking.add_scores(trained["sha256"], {f"{name}.accuracy": value}, curve)
            curve = []
