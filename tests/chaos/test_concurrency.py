"""Several experiments and several `dlcv repro` at once, while the workspace is edited: each has its code and params."""

from __future__ import annotations

import json
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from dlcv.runtime.files import read_json
from tests.chaos.small_pipeline import JUDGE, commit, make, mark_code, run, set_steps, start

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

TARGET = "stages/evaluation/dvc.yaml"  # there is no report, which would need all stages
LONG = 3000  # steps, enough for an edit or a signal while the training runs


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished and committed study."""
    folder = tmp_path_factory.mktemp("finished")
    make(folder)
    run(folder, "dlcv repro --jobs 2")
    commit(folder)
    return folder


@pytest.fixture
def workspace(finished: Path, tmp_path: Path) -> Path:
    # Without the locks of the finished trainings, for which `wait_for_training` looks.
    ignored = shutil.ignore_patterns(".checkpoints")
    return Path(shutil.copytree(finished, tmp_path / "workspace", symlinks=True, ignore=ignored))


def judge(folder: Path) -> dict[str, Any]:
    about: dict[str, Any] = read_json(folder / JUDGE / "weights.json")
    return about


def wait_for_training(folder: Path, sign: str = "step-*") -> None:
    """Until the judge's training has a checkpoint; `*.lock` is there as soon as it has read params.yaml."""
    for _ in range(3000):
        if list((folder / ".checkpoints").rglob(sign)):
            return
        time.sleep(0.2)
    raise AssertionError("no training began")


def test_queued_experiments_keep_their_code_and_params(workspace: Path) -> None:
    """Four experiments on two workers: two before an edit of the code, two after it, and edits while they run."""
    import dvc.api
    from dvc.repo import Repo

    for steps in (7, 8):
        run(workspace, f"dvc exp run --queue --name steps{steps} -S judge.training.steps={steps} {TARGET}")
    mark_code(workspace, "edited")
    for steps in (9, 10):
        run(workspace, f"dvc exp run --queue --name steps{steps} -S judge.training.steps={steps} {TARGET}")
    run(workspace, "dvc queue start --jobs 2")
    wait_for_training(workspace, "*.lock")
    mark_code(workspace, "late")
    set_steps(workspace, 99)
    with Repo(workspace) as repo:
        queue = repo.experiments.celery_queue
        while any(one["status"] in ("Queued", "Running") for one in queue.status()):
            time.sleep(2)
        assert {one["name"]: one["status"] for one in queue.status()} == dict.fromkeys(
            ("steps7", "steps8", "steps9", "steps10"), "Success"
        )
    for steps in (7, 8, 9, 10):
        text = dvc.api.read(str(JUDGE / "weights.json"), str(workspace), f"steps{steps}")
        about = json.loads(text)
        assert about["params"]["judge"]["training"]["steps"] == steps
        assert ("edited" in about, "late" in about) == (steps > 8, False)
        curve = dvc.api.read(str(JUDGE / "curve.csv"), str(workspace), f"steps{steps}")
        assert curve.splitlines()[-1].startswith(f"{steps},")
    no_run_is_left(workspace, 5)


def test_two_repros_and_edits_meanwhile(workspace: Path) -> None:
    """What DVC records as params and code of the judge is what it was trained with."""
    set_steps(workspace, LONG)
    first = start(workspace, "dlcv repro --jobs 2")
    wait_for_training(workspace)
    second = start(workspace, "dlcv repro --jobs 2")
    set_steps(workspace, 11)
    mark_code(workspace, "edited")
    (workspace / "dlcv/evaluation/judge/network.py").touch()
    said = [process.communicate()[0] for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0), said
    assert "its inputs were edited, so it runs again" in said[0] and "another dlcv repro runs here" in said[1]
    assert judge(workspace)["params"]["judge"]["training"]["steps"] == 11 and judge(workspace)["edited"]
    assert "up to date" in run(workspace, "dvc status")
    # Not from DVC's cache of runs either, which keeps what was recorded once.
    shutil.rmtree(workspace / JUDGE)
    run(workspace, "dlcv repro")
    assert judge(workspace)["params"]["judge"]["training"]["steps"] == 11
    no_run_is_left(workspace, 3)


def test_the_second_repro_goes_on_when_the_first_is_stopped(workspace: Path) -> None:
    set_steps(workspace, LONG)
    first = start(workspace, "dlcv repro --jobs 2")
    wait_for_training(workspace)
    second = start(workspace, "dlcv repro --jobs 2")
    first.send_signal(signal.SIGTERM)
    said = [process.communicate()[0] for process in (first, second)]
    assert (first.returncode, second.returncode) == (1, 0), said
    assert "stopped by SIGTERM" in said[0] and "continues from its checkpoint" in said[1]
    assert judge(workspace)["params"]["judge"]["training"]["steps"] == LONG
    assert "up to date" in run(workspace, "dvc status")
    no_run_is_left(workspace, 2)


def no_run_is_left(folder: Path, count: int) -> None:
    """All trainings of the judge that ended are in MLflow, and none says that it runs."""
    from mlflow import MlflowClient

    run(folder, "dlcv tracking import mlruns-offline")
    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("evaluation")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert [one.info.status for one in runs] == ["FINISHED"] * count
    assert not list((folder / "mlruns-offline").glob("*.jsonl"))
