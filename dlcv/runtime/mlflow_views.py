"""A shared view of each MLflow experiment: a table of trainings with the parameters that differ and the final scores.

MLflow keeps the state of a shared page as JSON in a tag of the experiment; an address that names the tag opens it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dlcv.runtime.mlflow_store import connect

if TYPE_CHECKING:
    from mlflow.entities import Run

KEY = "dlcv"
TAG = f"mlflow.sharedViewState.{KEY}"
TAGS = ("seed", "dlcv.group")
PARAMS = 8  # columns at most
# Final scores that have a column; all others can be added in the page.
SCORES = re.compile(
    r"accuracy|[\w-]+\.accuracy|digit_accuracy\.\w+|fid\.value|frechet_(?!.*to_validation)\w+\.value"
    r"|face_score\.value|dlib_face\.frechet_dlib_face\.value|validation\.mse|mse"
)


def write() -> dict[str, str]:
    """Store the view of every experiment that has runs.

    Returns:
        By the experiment's name, the address of its view without the server's.
    """
    client, found = connect(), {}
    for experiment in client.search_experiments():
        runs = client.search_runs([experiment.experiment_id], max_results=1000)
        if not runs:
            continue
        client.set_experiment_tag(experiment.experiment_id, TAG, json.dumps(state(runs)))
        found[experiment.name] = f"/#/experiments/{experiment.experiment_id}/runs?viewStateShareKey={KEY}"
    return dict(sorted(found.items()))


def state(runs: Sequence[Run]) -> dict[str, Any]:
    """The state of the page: newest runs first, with the columns that tell them apart."""
    values: dict[str, set[str]] = {}
    of_one: dict[tuple[str, str], set[str]] = {}  # of runs with the same name
    for run in runs:
        for name, value in run.data.params.items():
            values.setdefault(name, set()).add(value)
            of_one.setdefault((name, run.info.run_name), set()).add(value)
    # First what somebody has changed between two trainings of one model; models differ from each other anyway.
    changed = {name for (name, _), each in of_one.items() if len(each) > 1}
    differing = sorted(
        (name for name in values if len(values[name]) > 1),
        key=lambda name: (name not in changed, len(values[name]), name),
    )
    if changed - {"seed"}:
        differing = [name for name in differing if name in changed]  # the page sorts columns by name
    models = any(run.outputs and run.outputs.model_outputs for run in runs)
    attributes = ("Created", *(("Models",) if models else ()), "Version")  # the version is the git commit
    scores = sorted({name for run in runs for name in run.data.metrics if SCORES.fullmatch(name)})
    columns = [
        *(f"tags.`{name}`" for name in TAGS),
        *(f"metrics.`{name}`" for name in scores),
        *(f"params.`{name}`" for name in differing[:PARAMS]),
    ]
    return {
        "searchFilter": "",
        "orderByKey": "attributes.start_time",
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": [*(f"attributes.`{name}`" for name in attributes), *columns],
        "runsPinned": [],
        "runsHidden": [],
        "viewMaximized": True,
        "runListHidden": False,
    }
