"""Runs in real sqlite databases, also from several processes at once."""

from __future__ import annotations

import math
import sqlite3
import subprocess
import threading
import time
from pathlib import Path

import pytest

from dlcv.runtime import mlflow_store, tracking
from dlcv.runtime.errors import UserError
from dlcv.runtime.tracking import Dataset
from tests.runtime.conftest import SHA, TRAINING, client, curve, offline, python, runs_of

# The import of MLflow and a new database take seconds.
pytestmark = pytest.mark.slow


def test_a_curve_is_read_back_with_its_steps(root):
    with tracking.run("train", area="adaptation", params={}) as run:
        for step in range(1500):  # more than one batch
            run.log({"loss": 1 / (step + 1), "D(G(z))": 0.5}, step)
    assert curve(root, run.id, "loss") == [(step, 1 / (step + 1)) for step in range(1500)]
    assert len(curve(root, run.id, "D_G_z")) == 1500


def test_points_are_there_while_a_training_runs(root, monkeypatch):
    monkeypatch.setattr(tracking, "FLUSH_SECONDS", 0.01)
    with tracking.run("train", area="adaptation", params={}) as run:
        run.log({"loss": 1.0}, 0)
        for _ in range(3000):
            if curve(root, run.id, "loss"):
                break
            time.sleep(0.01)
        assert curve(root, run.id, "loss") == [(0, 1.0)]


def test_params_datasets_scores_figures_and_tags(root):
    figure = Path("grid.png")
    figure.write_bytes(b"image")
    data = Dataset("mnistm", SHA, "data/digits/mnistm")
    params = {"dann": {"lr": 1e-3, "lambda": 0.3}, "seed": 7}
    with tracking.run("train", area="adaptation", params=params, tags={"size": "S"}, datasets=[data]) as run:
        run.scores({"accuracy": 0.5})
        run.figure(figure)
        run.set_tags({"weights.sha256": SHA})
    (found,) = runs_of(root)
    assert found.info.run_id == run.id and found.info.status == "FINISHED"
    assert found.data.params == {"dann.lr": "0.001", "dann.lambda": "0.3", "seed": "7"}
    assert found.data.metrics == {"accuracy": 0.5}
    assert found.data.tags["size"] == "S" and found.data.tags["weights.sha256"] == SHA
    (entry,) = found.inputs.dataset_inputs
    assert (entry.dataset.name, entry.dataset.digest) == ("mnistm", SHA[:36])
    assert {tag.key: tag.value for tag in entry.tags}["sha256"] == SHA
    # Artifacts hang on the root, and nothing appears in the working directory.
    assert (root / f"mlartifacts/adaptation/{run.id}/artifacts/figures/grid.png").read_bytes() == b"image"
    assert [path.name for path in Path().iterdir()] == ["grid.png"]


def test_a_row_is_a_training_and_its_group_is_a_tag(root, monkeypatch):
    monkeypatch.setenv("DVC_STAGE", "train@dann")
    monkeypatch.setenv("DVC_EXP_NAME", "furry-seal")
    monkeypatch.setenv("DVC_EXP_BASELINE_REV", "c0ffee" * 6)
    for name in ("mnistm-usps/dann-0", "mnistm-usps/dann-3"):
        with tracking.run(name, area="adaptation", params={}):
            pass
    monkeypatch.setenv("DVC_EXP_NAME", "other-seal")
    with tracking.run("mnistm-usps/dann-0", area="adaptation", params={}):
        pass
    runs = runs_of(root)
    assert [run.info.run_name for run in runs] == ["dann mnistm→usps"] * 3
    assert [run.data.tags["seed"] for run in runs] == ["0", "3", "0"]
    assert [run.data.tags["dlcv.group"] for run in runs] == ["furry-seal", "furry-seal", "other-seal"]
    assert all("mlflow.parentRunId" not in run.data.tags for run in runs)
    first = runs[0]
    assert first.data.tags["dvc.stage"] == "train@dann" and first.data.tags["dvc.exp"] == "furry-seal"
    assert first.data.tags["dvc.baseline"] == "c0ffee" * 6
    assert "git.commit" not in first.data.tags  # no repository here


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("dcgan-k5-0", ("dcgan-k5", "0")),
        ("judge/1", ("judge", "1")),
        ("mnistm/supervised-2", ("supervised mnistm", "2")),
        ("usps-mnistm/variants/lenet-0", ("lenet usps→mnistm", "0")),
        ("gan summary", ("gan summary", "")),
    ],
)
def test_what_a_training_is_called(name, label):
    assert mlflow_store.label(name) == label


def test_a_plain_repro_is_named_by_commit_and_parameters(root):
    def git(*arguments):
        subprocess.run(["git", "-c", "user.name=n", "-c", "user.email=e@x", *arguments], check=True)

    def tags():
        with tracking.run("train", area="adaptation", params={}):
            pass
        found = runs_of(root)[-1].data.tags
        return found, found["dlcv.group"]

    Path("params.yaml").write_text("seed: 0\n")
    Path("dvc.lock").write_text("schema: '2.0'\n")
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "first")
    Path("dvc.lock").write_text("written by the pipeline\n")
    clean, name = tags()
    assert clean["git.dirty"] == "false" and name.startswith(clean["git.commit"][:7] + "-")
    Path("params.yaml").write_text("seed: 1\n")
    dirty, other = tags()
    assert dirty["git.dirty"] == "true" and other != name and other[:8] == name[:8]


@pytest.mark.parametrize(
    "error, status", [(ValueError, "FAILED"), (UserError, "FAILED"), (KeyboardInterrupt, "KILLED")]
)
def test_the_status_tells_how_it_ended(root, error, status):
    with pytest.raises(error), tracking.run("train", area="adaptation", params={}) as run:
        run.log({"loss": 1.0}, 3)
        raise error("enough")
    (found,) = runs_of(root)
    assert found.info.status == status
    assert curve(root, found.info.run_id, "loss") == [(3, 1.0)]


def test_resume_continues_the_same_run(root):
    with pytest.raises(KeyboardInterrupt), tracking.run("train", area="adaptation", params={"lr": 1}) as first:
        for step in range(5):
            first.log({"loss": float(step)}, step)
        raise KeyboardInterrupt
    with tracking.run("train", area="adaptation", params={"lr": 2, "more": 3}, resume=first.id) as second:
        (found,) = runs_of(root)
        assert found.info.status == "RUNNING"
        for step in range(3, 8):  # the checkpoint was older than the end of the curve
            second.log({"loss": float(step)}, step)
    (found,) = runs_of(root)
    assert second.id == first.id and found.info.status == "FINISHED"
    assert curve(root, first.id, "loss") == [(step, float(step)) for step in range(8)]
    assert found.data.params["lr"] == "1"


def test_resume_of_an_unknown_run_begins_a_new_one(root):
    with tracking.run("train", area="adaptation", params={"lr": 1}, resume="f" * 32) as run:
        assert run.id and run.id != "f" * 32
    assert [found.info.run_id for found in runs_of(root)] == [run.id]


def test_values_that_are_not_finite_are_left_out(root, capsys):
    with tracking.run("train", area="adaptation", params={}) as run:
        run.log({"loss": 1.0}, 0)
        run.log({"loss": math.nan}, 1)
        run.log({"loss": math.inf}, 2)
        run.scores({"fid": math.inf})
    (found,) = runs_of(root)
    assert curve(root, run.id, "loss") == [(0, 1.0)] and "fid" not in found.data.metrics
    assert found.data.tags["nonfinite"] == "fid@0, loss@1"
    assert capsys.readouterr().err.count("loss is") == 1


@pytest.mark.parametrize("name", ["D(G(z))", "a//b", "../up", "/absolute", "a/.", "", "loss²√", "x" * 300, "(", "%"])
def test_every_name_is_one_that_mlflow_takes(name):
    from mlflow.utils.validation import _validate_metric_name

    _validate_metric_name(tracking._valid(name))


def test_scores_also_go_to_the_newest_training_run(root):
    Path("table.png").write_bytes(b"figure")
    for _ in range(2):
        with tracking.run("train", area="adaptation", params={"lr": 0.1}) as run:
            run.set_tags({"weights.sha256": SHA})
    tracking.add_scores(TRAINING, {"accuracy": 0.25, "broken": math.nan}, [Path("table.png")], [{"step": 5, "kl": 2.0}])
    older, newer = runs_of(root)
    assert newer.info.run_id == run.id
    assert newer.data.metrics == {"accuracy": 0.25, "kl": 2.0} and newer.data.params == {"lr": "0.1"}
    assert older.data.metrics == {} and newer.info.status == "FINISHED"
    assert [file.path for file in client(root).list_artifacts(run.id, "figures")] == ["figures/table.png"]
    assert curve(root, run.id, "kl") == [(5, 2.0)]


def test_a_training_that_was_not_tracked_here_gets_a_row(root):
    tracking.add_scores(TRAINING, {"accuracy": 0.5})
    tracking.add_scores(TRAINING, {"accuracy": 0.6})
    (found,) = runs_of(root)
    assert found.info.run_name == "dann mnistm→usps" and found.info.status == "FINISHED"
    assert found.data.params == {"lr": "0.1"} and found.data.metrics == {"accuracy": 0.6}
    assert found.data.tags["weights.sha256"] == SHA and found.data.tags["seed"] == "0"


def test_four_processes_create_one_database(bare):
    code = """
import sys
from dlcv.runtime import tracking
with tracking.run("train@" + sys.argv[0], area="adaptation", params={"lr": 1}) as run:
    for step in range(20):
        run.log({"loss": 1.0}, step)
        run.flush()
"""
    processes = [python(code, bare) for _ in range(4)]
    ends = [(process.communicate(timeout=120), process.returncode) for process in processes]
    assert ends == [(("", ""), 0)] * 4  # no messages of migrations, for example
    runs = runs_of(bare)
    assert len(runs) == 4 and {run.info.status for run in runs} == {"FINISHED"}
    assert all(len(curve(bare, run.info.run_id, "loss")) == 20 for run in runs)
    assert not (bare / "mlruns-offline").exists() and not list(bare.glob(".mlflow.*.db"))


def test_a_busy_database_is_waited_for(root):
    with tracking.run("train", area="adaptation", params={}) as run:
        other = sqlite3.connect(root / "mlflow.db", isolation_level=None, check_same_thread=False)
        other.execute("BEGIN EXCLUSIVE")
        release = threading.Timer(1.0, lambda: other.execute("ROLLBACK"))
        release.start()
        run.log({"loss": 1.0}, 0)
        run.flush()
        release.join()
    assert curve(root, run.id, "loss") == [(0, 1.0)] and not offline(root)


def test_an_outdated_schema_is_upgraded(root, capsys):
    with sqlite3.connect(root / "mlflow.db") as database:
        (version,) = database.execute("SELECT version_num FROM alembic_version").fetchone()
        # Outdated in name only, so the upgrade is played here: MLflow's own would repeat its last migration.
        database.execute("UPDATE alembic_version SET version_num = 'outdated'")
    calls = []

    def upgrade(arguments, failure):
        calls.append(arguments)
        with sqlite3.connect(root / "mlflow.db") as database:
            database.execute("UPDATE alembic_version SET version_num = ?", (version,))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mlflow_store, "_mlflow", upgrade)
        with tracking.run("train", area="adaptation", params={}):
            pass
    assert [call[:4] for call in calls] == [["-m", "mlflow", "db", "upgrade"]]
    assert len(runs_of(root)) == 1 and "upgrading" in capsys.readouterr().err


def test_a_missing_figure_does_not_stop_the_run(root, capsys):
    with tracking.run("train", area="adaptation", params={}) as run:
        run.figure(Path("none.png"))
        run.log({"loss": 1.0}, 0)
    assert "none.png" in capsys.readouterr().err
    assert curve(root, run.id, "loss") == [(0, 1.0)] and not offline(root)
