"""Fixtures and helpers for tests of tracking: a root with an MLflow database, and its content."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dlcv.runtime import tracking

REPOSITORY = Path(__file__).parent.parent.parent
AWAY = "http://127.0.0.1:9"  # the discard port, which refuses a connection immediately
SHA = "ab" * 32
TRAINING = tracking.Training("adaptation", "mnistm-usps/dann-0", SHA, {"lr": 0.1})


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory):
    """A database without runs, created once, because it takes seconds."""
    folder = tmp_path_factory.mktemp("database")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setenv("DVC_ROOT", str(folder))
        tracking.initialise()
    return folder / "mlflow.db"


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A root without a database. The working directory is another folder, as in a queued experiment."""
    for name in ("MLFLOW_TRACKING_URI", "DLCV_TRACKING", "DVC_STAGE", "DVC_EXP_NAME", "DVC_EXP_BASELINE_REV"):
        monkeypatch.delenv(name, raising=False)
    place = tmp_path / "the root"
    place.mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.setenv("DVC_ROOT", str(place))
    monkeypatch.chdir(tmp_path / "work")
    return place


@pytest.fixture
def root(bare, empty_database):
    """A root with an empty database."""
    shutil.copy(empty_database, bare / "mlflow.db")
    return bare


def client(root):
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{root / 'mlflow.db'}")


def runs_of(root, area="adaptation"):
    """The runs of an area, oldest first."""
    experiment = client(root).get_experiment_by_name(area)
    if experiment is None:
        return []
    return list(client(root).search_runs([experiment.experiment_id], order_by=["attributes.start_time ASC"]))


def curve(root, run_id, name):
    return [(point.step, point.value) for point in client(root).get_metric_history(run_id, name)]


def offline(root):
    return sorted((root / "mlruns-offline").glob("*.jsonl"))


def python(code, root, **environment):
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "DVC_ROOT": str(root), **environment}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
