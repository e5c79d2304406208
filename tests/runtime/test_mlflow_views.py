"""The shared view of an MLflow experiment."""

from __future__ import annotations

import json

import pytest

from dlcv.runtime import mlflow_views, tracking
from tests.runtime.conftest import client

pytestmark = pytest.mark.slow


def test_only_the_parameter_that_was_changed_has_a_column(root):
    for name, params in {
        "mnistm-usps/dann-0": {"lambda": 0.1, "network": "lenet", "steps": 5},
        "mnistm-usps/gta-0": {"network": "gta", "steps": 5},
        "mnistm-usps/dann-1": {"lambda": 0.3, "network": "lenet", "steps": 5},
    }.items():
        with tracking.run(name, area="adaptation", params=params) as run:
            run.scores({"accuracy": 0.5, "frechet_x_to_validation.value": 2.0, "proxy": 1.0})
    assert mlflow_views.write() == {"adaptation": "/#/experiments/1/runs?viewStateShareKey=dlcv"}
    tags = client(root).get_experiment("1").tags
    assert json.loads(tags["mlflow.sharedViewState.dlcv"])["selectedColumns"] == [
        "attributes.`Created`",
        "attributes.`Version`",
        "tags.`seed`",
        "tags.`dlcv.group`",
        "metrics.`accuracy`",
        "params.`lambda`",
    ]
