"""The tracking module against real sqlite databases, real processes and a server that goes away."""

from __future__ import annotations

import json
import math
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from dlcv.runtime import mlflow_store, tracking
from dlcv.runtime.errors import UserError
from dlcv.runtime.tracking import Dataset

PROJECT = Path(tracking.__file__).parents[1]
AWAY = "http://127.0.0.1:9"  # the discard port: the connection is refused at once
SHA = "ab" * 32


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory):
    """A database without runs, created once: MLflow needs seconds for it."""
    folder = tmp_path_factory.mktemp("database")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setenv("DVC_ROOT", str(folder))
        tracking.initialise()
    return folder / "mlflow.db"


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A root without a database, seen from another working directory, as inside a queued experiment."""
    for name in ("MLFLOW_TRACKING_URI", "DLCV_TRACKING", "DVC_STAGE", "DVC_EXP_NAME", "DVC_EXP_BASELINE_REV"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(tracking, "_away", set())
    place = tmp_path / "the root"
    place.mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.setenv("DVC_ROOT", str(place))
    monkeypatch.chdir(tmp_path / "work")
    return place


@pytest.fixture
def root(bare, empty_database):
    shutil.copy(empty_database, bare / "mlflow.db")
    return bare


def client(root):
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{root / 'mlflow.db'}")


def children(root, area="adaptation"):
    """The stages' runs of an area, oldest first, without the parents."""
    experiment = client(root).get_experiment_by_name(area)
    if experiment is None:
        return []
    runs = client(root).search_runs([experiment.experiment_id], order_by=["attributes.start_time ASC"])
    return [run for run in runs if "dlcv.group" not in run.data.tags]


def curve(root, run_id, name):
    return [(point.step, point.value) for point in client(root).get_metric_history(run_id, name)]


def offline(root):
    return sorted((root / "mlruns-offline").glob("*.jsonl"))


def python(code, root, **environment):
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "DVC_ROOT": str(root), **environment}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_importing_it_or_switching_it_off_imports_no_mlflow(bare):
    code = """
import sys
from dlcv.runtime import tracking
with tracking.run("train", area="gan", params={"lr": 1}) as run:
    run.log({"loss": 1.0}, 1); run.scores({"fid": 2.0}); run.set_tags({"a": "b"}); run.figure("no.png")
tracking.add_scores("ab", {"fid": 2.0})
print(run.id, "mlflow" in sys.modules, "torch" in sys.modules)
"""
    process = python(code, bare, DLCV_TRACKING="off")
    assert process.communicate() == ("None False False\n", "")
    assert list(bare.iterdir()) == []


def test_a_curve_is_read_back_with_its_steps(root):
    with tracking.run("train", area="adaptation", params={}) as run:
        for step in range(1500):  # more than one batch
            run.log({"loss": 1 / (step + 1), "D(G(z))": 0.5}, step)
    assert curve(root, run.id, "loss") == [(step, 1 / (step + 1)) for step in range(1500)]
    assert len(curve(root, run.id, "D_G_z")) == 1500


def test_points_are_buffered(root, monkeypatch):
    monkeypatch.setattr(tracking, "BATCH", 3)
    with tracking.run("train", area="adaptation", params={}) as run:
        run.log({"loss": 1.0}, 0)
        run.log({"loss": 1.0}, 1)
        assert curve(root, run.id, "loss") == []
        run.log({"loss": 1.0}, 2)
        assert len(curve(root, run.id, "loss")) == 3


def test_params_datasets_scores_figures_and_tags(root):
    figure = Path("grid.png")
    figure.write_bytes(b"image")
    data = Dataset("mnistm", SHA, "data/digits/mnistm")
    params = {"dann": {"lr": 1e-3, "lambda": 0.3}, "seed": 7}
    with tracking.run("train", area="adaptation", params=params, tags={"size": "S"}, datasets=[data]) as run:
        run.scores({"accuracy": 0.5})
        run.figure(figure)
        run.set_tags({"weights.sha256": SHA})
    (found,) = children(root)
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


def test_children_of_one_experiment_share_a_finished_parent(root, monkeypatch):
    monkeypatch.setenv("DVC_STAGE", "train@dann")
    monkeypatch.setenv("DVC_EXP_NAME", "furry-seal")
    monkeypatch.setenv("DVC_EXP_BASELINE_REV", "c0ffee" * 6)
    for name in ("train", "evaluate"):
        with tracking.run(name, area="adaptation", params={}):
            pass
    monkeypatch.setenv("DVC_EXP_NAME", "other-seal")
    with tracking.run("train", area="adaptation", params={}):
        pass
    first, second, third = children(root)
    parent = client(root).get_run(first.data.tags["mlflow.parentRunId"])
    assert parent.info.run_name == "furry-seal" and parent.info.status == "FINISHED"
    assert second.data.tags["mlflow.parentRunId"] == parent.info.run_id != third.data.tags["mlflow.parentRunId"]
    assert first.data.tags["dvc.stage"] == "train@dann" and first.data.tags["dvc.exp"] == "furry-seal"
    assert first.data.tags["dvc.baseline"] == "c0ffee" * 6
    assert "git.commit" not in first.data.tags  # no repository here


def test_a_plain_repro_is_named_by_commit_and_parameters(root):
    def git(*arguments):
        subprocess.run(["git", "-c", "user.name=n", "-c", "user.email=e@x", *arguments], check=True)

    def tags():
        with tracking.run("train", area="adaptation", params={}):
            pass
        found = children(root)[-1].data.tags
        return found, client(root).get_run(found["mlflow.parentRunId"]).info.run_name

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
    (found,) = children(root)
    assert found.info.status == status
    assert curve(root, found.info.run_id, "loss") == [(3, 1.0)]


def test_resume_continues_the_same_run(root):
    with pytest.raises(KeyboardInterrupt), tracking.run("train", area="adaptation", params={"lr": 1}) as first:
        for step in range(5):
            first.log({"loss": float(step)}, step)
        raise KeyboardInterrupt
    with tracking.run("train", area="adaptation", params={"lr": 2, "more": 3}, resume=first.id) as second:
        (found,) = children(root)
        assert found.info.status == "RUNNING"
        for step in range(3, 8):  # the checkpoint was older than the end of the curve
            second.log({"loss": float(step)}, step)
    (found,) = children(root)
    assert second.id == first.id and found.info.status == "FINISHED"
    assert curve(root, first.id, "loss") == [(step, float(step)) for step in range(8)]
    assert found.data.params["lr"] == "1"


def test_resume_of_an_unknown_run_begins_a_new_one(root):
    with tracking.run("train", area="adaptation", params={"lr": 1}, resume="f" * 32) as run:
        assert run.id and run.id != "f" * 32
    assert [found.info.run_id for found in children(root)] == [run.id]


def test_values_that_are_not_finite_are_left_out(root, capsys):
    with tracking.run("train", area="adaptation", params={}) as run:
        run.log({"loss": 1.0}, 0)
        run.log({"loss": math.nan}, 1)
        run.log({"loss": math.inf}, 2)
        run.scores({"fid": math.inf})
    (found,) = children(root)
    assert curve(root, run.id, "loss") == [(0, 1.0)] and "fid" not in found.data.metrics
    assert found.data.tags["nonfinite"] == "fid@0, loss@1"
    assert capsys.readouterr().err.count("loss is") == 1


@pytest.mark.parametrize("name", ["D(G(z))", "a//b", "../up", "/absolute", "a/.", "", "loss²√", "x" * 300, "(", "%"])
def test_every_name_is_one_that_mlflow_takes(name):
    from mlflow.utils.validation import _validate_metric_name

    _validate_metric_name(tracking._valid(name))


def test_good_names_are_kept():
    assert [tracking._valid(name) for name in ("loss_", "val/acc 1.5-x", "a:b")] == ["loss_", "val/acc 1.5-x", "a:b"]


def test_scores_also_go_to_the_newest_training_run(root, capsys):
    Path("table.png").write_bytes(b"figure")
    for _ in range(2):
        with tracking.run("train", area="adaptation", params={"lr": 0.1}) as run:
            run.set_tags({"weights.sha256": SHA})
    tracking.add_scores(SHA, {"accuracy": 0.25, "broken": math.nan}, [Path("table.png")])
    older, newer = children(root)
    assert newer.info.run_id == run.id
    assert newer.data.metrics == {"accuracy": 0.25} and newer.data.params == {"lr": "0.1"}
    assert older.data.metrics == {} and newer.info.status == "FINISHED"
    assert [file.path for file in client(root).list_artifacts(run.id, "figures")] == ["figures/table.png"]
    capsys.readouterr()
    tracking.add_scores("cd" * 32, {"accuracy": 0.5})
    assert capsys.readouterr().err.count("\n") == 1


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
    assert ends == [(("", ""), 0)] * 4  # in particular no word of migrations
    runs = children(bare)
    assert len(runs) == 4 and {run.info.status for run in runs} == {"FINISHED"}
    assert len({run.data.tags["mlflow.parentRunId"] for run in runs}) == 1
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
    assert len(children(root)) == 1 and "upgrading" in capsys.readouterr().err


def test_a_server_that_is_away_costs_one_warning_and_a_file(root, monkeypatch, capsys):
    Path("grid.png").write_bytes(b"image")
    with monkeypatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", "http://someone:secret@127.0.0.1:9")
        data = Dataset("mnistm", SHA, "data")
        with tracking.run("train@a/b", area="adaptation", params={"lr": 1}, datasets=[data]) as run:
            run.log({"loss": 1.0}, 0)
            run.log({"loss": 0.5}, 1)
            run.scores({"accuracy": 0.5})
            run.figure(Path("grid.png"))
            run.figure(Path("none.png"))
            run.set_tags({"weights.sha256": SHA})
        warning, about_figure = capsys.readouterr().err.splitlines()
        assert "127.0.0.1:9 is away" in warning and "dlcv tracking import" in warning and "secret" not in warning
        assert "none.png" in about_figure
        (file,) = offline(root)
        with pytest.raises(UserError, match="try again later"):
            tracking.import_file(file)
    Path("grid.png").unlink()  # the copy beside the file is what counts
    again = file.with_name("copy.jsonl")
    shutil.copy(file, again)
    shutil.copytree(file.with_suffix(""), again.with_suffix(""))

    assert tracking.import_file(file) == 1
    assert tracking.import_file(again) == 1
    assert offline(root) == [] and file.with_suffix(".imported").is_file() and not file.with_suffix("").exists()
    (found,) = children(root)
    assert curve(root, found.info.run_id, "loss") == [(0, 1.0), (1, 0.5)]
    assert found.data.metrics["accuracy"] == 0.5 and found.data.params == {"lr": "1"}
    assert found.info.status == "FINISHED" and found.data.tags["weights.sha256"] == SHA
    assert found.info.end_time - found.info.start_time < 60_000  # the run's own times, not the import's
    assert len(found.inputs.dataset_inputs) == 1
    assert [entry.path for entry in client(root).list_artifacts(found.info.run_id, "figures")] == ["figures/grid.png"]
    with pytest.raises(UserError, match="cannot be read"):
        tracking.import_file(file)


def test_a_run_killed_and_resumed_across_an_outage_is_one_run(root, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", AWAY)
        with pytest.raises(KeyboardInterrupt), tracking.run("train", area="adaptation", params={"lr": 1}) as first:
            first.log({"loss": 1.0}, 0)
            raise KeyboardInterrupt
    with tracking.run("train", area="adaptation", params={"lr": 1}, resume=first.id) as second:
        second.log({"loss": 0.5}, 1)
    assert tracking.import_file(root / "mlruns-offline") == 1
    (found,) = children(root)
    assert found.info.run_id == second.id and found.info.status == "FINISHED"
    assert sorted(curve(root, second.id, "loss")) == [(0, 1.0), (1, 0.5)]


def test_scores_of_an_outage_find_their_run_at_import(root, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", AWAY)
        tracking.add_scores(SHA, {"accuracy": 0.5})
    assert tracking.import_file(root / "mlruns-offline") == 0
    assert len(offline(root)) == 1  # kept: the training run may be in a file that comes later
    with tracking.run("train", area="adaptation", params={}) as run:
        run.set_tags({"weights.sha256": SHA})
    tracking.import_file(root / "mlruns-offline")
    assert offline(root) == [] and children(root)[0].data.metrics == {"accuracy": 0.5}
    assert run.id == children(root)[0].info.run_id


def test_the_server_may_die_while_a_run_goes_on(root, monkeypatch, capsys):
    with tracking.run("train", area="adaptation", params={"lr": 1}) as run:
        run.log({"loss": 1.0}, 0)
        run.flush()
        monkeypatch.setattr(run._sink._stored.client, "log_batch", _broken)
        run.log({"loss": 0.5}, 1)
        run.flush()
        run.log({"loss": 0.25}, 2)
    assert capsys.readouterr().err.count("is away") == 1
    (found,) = children(root)
    assert found.info.status == "RUNNING"
    assert tracking.import_file(root / "mlruns-offline") == 1
    (found,) = children(root)
    assert found.info.run_id == run.id and found.info.status == "FINISHED"
    assert curve(root, run.id, "loss") == [(0, 1.0), (1, 0.5), (2, 0.25)]


def _broken(*_, **__):
    raise ConnectionResetError("connection reset by peer")


class _Server(BaseHTTPRequestHandler):
    """Answers each request in one fixed way, which is not what MLflow would say."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>not MLflow</html>")

    do_POST = do_GET

    def log_message(self, *_):
        pass


def test_a_server_that_talks_nonsense_is_away(root, monkeypatch, capsys):
    server = HTTPServer(("127.0.0.1", 0), _Server)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{server.server_port}")
    with tracking.run("train", area="adaptation", params={}) as run:
        run.log({"loss": 1.0}, 0)
    server.shutdown()
    server.server_close()
    assert capsys.readouterr().err.count("is away") == 1 and len(offline(root)) == 1


@pytest.mark.parametrize("blocked", [False, True])
def test_a_broken_database_does_not_stop_training(bare, capsys, blocked):
    (bare / "mlflow.db").write_bytes(b"this is no database at all" * 100)
    if blocked:
        (bare / "mlruns-offline").write_text("a file where the folder should be")
    with tracking.run("train", area="adaptation", params={}) as run:
        run.log({"loss": 1.0}, 0)
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and ("nothing is logged" in error) == blocked
    assert len(offline(bare)) == (not blocked)


def test_a_figure_that_is_not_there_costs_only_itself(root, capsys):
    with tracking.run("train", area="adaptation", params={}) as run:
        run.figure(Path("none.png"))
        run.log({"loss": 1.0}, 0)
    assert "none.png" in capsys.readouterr().err
    assert curve(root, run.id, "loss") == [(0, 1.0)] and not offline(root)


@pytest.mark.parametrize("text", ["", "not json", '{"kind": "run"}\nnot json\n{}', '{"other": 1}', "[1]"])
def test_foreign_files_are_not_imported(root, text):
    file = root / "foreign.jsonl"
    file.write_text(text)
    with pytest.raises(UserError, match="foreign.jsonl"):
        tracking.import_file(file)
    assert file.read_text() == text and children(root) == []


def test_a_file_cut_off_by_a_kill_is_imported_and_kept(root, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", AWAY)
        with tracking.run("train", area="adaptation", params={"lr": 1}) as run:
            run.log({"loss": 1.0}, 0)
    (file,) = offline(root)
    *lines, end = file.read_text().splitlines()
    assert json.loads(end)["kind"] == "end"
    file.write_text("\n".join(lines) + "\n" + end[:10])
    assert tracking.import_file(file) == tracking.import_file(file) == 1
    (found,) = children(root)
    assert curve(root, found.info.run_id, "loss") == [(0, 1.0)] and offline(root) == [file]


def test_one_event_that_the_server_refuses_does_not_hold_up_an_import(root, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", AWAY)
        with tracking.run("train", area="adaptation", params={}) as run:
            run.log({"loss": 1.0}, 0)
    (file,) = offline(root)
    file.write_text(file.read_text().replace('"loss"', '"not a name (for MLflow)"'))
    capsys.readouterr()
    assert tracking.import_file(file) == 1
    assert "did not take metrics" in capsys.readouterr().err
    assert children(root)[0].info.status == "FINISHED"
