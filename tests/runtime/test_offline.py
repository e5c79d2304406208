"""A server that is away: a stage goes on, and its events are imported later."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from dlcv.runtime import tracking
from dlcv.runtime.errors import UserError
from dlcv.runtime.tracking import Dataset
from tests.runtime.conftest import AWAY, REPOSITORY, SHA, TRAINING, client, curve, offline, python, runs_of

# The import of MLflow and a new database take seconds.
pytestmark = pytest.mark.slow


def test_without_a_server_there_is_one_warning_and_a_file_to_import(root, monkeypatch, capsys):
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
    Path("grid.png").unlink()  # the import takes the copy
    header, *_, end = (json.loads(text) for text in file.read_text().splitlines())
    again = file.with_name("copy.jsonl")
    shutil.copy(file, again)
    shutil.copytree(file.with_suffix(""), again.with_suffix(""))

    assert tracking.import_file(file) == 1
    assert tracking.import_file(again) == 1
    assert offline(root) == [] and file.with_suffix(".imported").is_file() and not file.with_suffix("").exists()
    (found,) = runs_of(root)
    assert curve(root, found.info.run_id, "loss") == [(0, 1.0), (1, 0.5)]
    assert found.data.metrics["accuracy"] == 0.5 and found.data.params == {"lr": "1"}
    assert found.info.status == "FINISHED" and found.data.tags["weights.sha256"] == SHA
    assert (found.info.start_time, found.info.end_time) == (header["start"], end["time"])  # not those of the import
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
    (found,) = runs_of(root)
    assert found.info.run_id == second.id and found.info.status == "FINISHED"
    assert sorted(curve(root, second.id, "loss")) == [(0, 1.0), (1, 0.5)]


def test_scores_of_an_outage_find_their_run_at_import(root, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", AWAY)
        tracking.add_scores(TRAINING, {"accuracy": 0.5})
    assert tracking.import_file(root / "mlruns-offline") == 0
    assert len(offline(root)) == 1  # kept: the training run may be in a file that comes later
    with tracking.run("train", area="adaptation", params={}) as run:
        run.set_tags({"weights.sha256": SHA})
    tracking.import_file(root / "mlruns-offline")
    assert offline(root) == [] and runs_of(root)[0].data.metrics == {"accuracy": 0.5}
    assert run.id == runs_of(root)[0].info.run_id


def test_a_run_goes_on_when_the_server_fails(root, monkeypatch, capsys):
    with tracking.run("train", area="adaptation", params={"lr": 1}) as run:
        run.log({"loss": 1.0}, 0)
        run.flush()
        monkeypatch.setattr(run._sink._stored.client, "log_batch", _broken)
        run.log({"loss": 0.5}, 1)
        run.flush()
        run.log({"loss": 0.25}, 2)
    assert capsys.readouterr().err.count("is away") == 1
    (found,) = runs_of(root)
    assert found.info.status == "RUNNING"
    assert tracking.import_file(root / "mlruns-offline") == 1
    (found,) = runs_of(root)
    assert found.info.run_id == run.id and found.info.status == "FINISHED"
    assert curve(root, run.id, "loss") == [(0, 1.0), (1, 0.5), (2, 0.25)]


def _broken(*_, **__):
    raise ConnectionResetError("connection reset by peer")


class _Server(BaseHTTPRequestHandler):
    """Returns the same page, which is not of MLflow, for each request."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>not MLflow</html>")

    do_POST = do_GET

    def log_message(self, *_):
        pass


def test_a_server_that_is_not_mlflow_counts_as_away(root, monkeypatch, capsys):
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


@pytest.mark.parametrize("text", ["", "not json", '{"kind": "run"}\nnot json\n{}', '{"other": 1}', "[1]"])
def test_files_of_another_kind_are_not_imported(root, text):
    file = root / "other.jsonl"
    file.write_text(text)
    with pytest.raises(UserError, match="other.jsonl is not a file of events"):
        tracking.import_file(file)
    assert file.read_text() == text and runs_of(root) == []


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
    (found,) = runs_of(root)
    assert curve(root, found.info.run_id, "loss") == [(0, 1.0)] and offline(root) == [file]


def test_the_file_of_a_killed_stage_is_kept_until_the_resumed_stage_has_ended(root, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setenv("DLCV_TRACKING", "later")
        killed = tracking.run("train", area="adaptation", params={})
        first = killed.__enter__()  # and never left, as after SIGKILL
        first.log({"loss": 1.0}, 0)
        first.flush()
        with tracking.run("train", area="adaptation", params={}, resume=first.id) as second:
            second.log({"loss": 0.5}, 1)
            second.flush()
            assert tracking.import_file(root / "mlruns-offline", running=True) == 2
            assert len(offline(root)) == 2 and runs_of(root)[0].info.status == "RUNNING"
    for _ in range(2):
        tracking.import_file(root / "mlruns-offline")
    (found,) = runs_of(root)
    assert found.info.status == "FINISHED" and offline(root) == []
    assert curve(root, found.info.run_id, "loss") == [(0, 1.0), (1, 0.5)]


def test_one_event_that_the_server_refuses_does_not_hold_up_an_import(root, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", AWAY)
        with tracking.run("train", area="adaptation", params={}) as run:
            run.log({"loss": 1.0}, 0)
    (file,) = offline(root)
    file.write_text(file.read_text().replace('"loss"', '"not a name (for MLflow)"'))
    capsys.readouterr()
    assert tracking.import_file(file) == 1
    assert "did not accept metrics" in capsys.readouterr().err
    assert runs_of(root)[0].info.status == "FINISHED"


def test_a_failed_server_is_left_alone_for_a_while_by_every_process(root, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", AWAY)
    with tracking.run("train", area="adaptation", params={}):
        pass
    asked = []
    monkeypatch.setattr(tracking, "open_run", lambda header: asked.append(header) or _broken())
    with tracking.run("train", area="adaptation", params={}):
        pass
    assert asked == [] and "failed less than 5 minutes ago" in capsys.readouterr().err
    monkeypatch.setattr(tracking, "PAUSE_SECONDS", 0.0)
    with tracking.run("train", area="adaptation", params={}):
        pass
    assert len(asked) == 1
    (root / "mlruns-offline/away.json").write_text("{")  # a damaged note is no note
    assert not tracking._is_away()


def test_a_training_resumed_in_an_outage_has_each_point_once(root, monkeypatch):
    with pytest.raises(KeyboardInterrupt), tracking.run("train", area="adaptation", params={}) as first:
        for step in range(4):
            first.log({"loss": float(step)}, step)
        raise KeyboardInterrupt
    with monkeypatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", AWAY)
        with tracking.run("train", area="adaptation", params={}, resume=first.id) as second:
            for step in range(2, 6):  # from the checkpoint at step 2
                second.log({"loss": float(step)}, step)
    (file,) = offline(root)
    again = file.with_name("again.jsonl")
    shutil.copy(file, again)
    assert tracking.import_file(root / "mlruns-offline") == 2
    (found,) = runs_of(root)
    assert curve(root, found.info.run_id, "loss") == [(step, float(step)) for step in range(6)]


def test_a_bad_file_does_not_hold_up_the_others(root, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", AWAY)
        with tracking.run("train", area="adaptation", params={}):
            pass
    for name, text in {"0-empty": "", "1-cut": '{"kind": "ru', "2-other": "[1]\n"}.items():
        (root / f"mlruns-offline/{name}.jsonl").write_text(text)
    capsys.readouterr()
    assert tracking.import_file(root / "mlruns-offline") == 1
    assert capsys.readouterr().err.count("is not a file of events") == 3
    assert len(offline(root)) == 3 and len(runs_of(root)) == 1


def test_an_artifact_outside_the_folder_of_the_file_is_not_uploaded(root, monkeypatch, capsys):
    secret = root / "secret.txt"
    secret.write_text("secret")
    Path("grid.png").write_bytes(b"image")
    with monkeypatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", AWAY)
        with tracking.run("train", area="adaptation", params={}) as run:
            for _ in range(3):
                run.figure(Path("grid.png"))
    (file,) = offline(root)
    lines = file.read_text().splitlines()
    copies = [index for index, text in enumerate(lines) if '"artifact"' in text]
    for index, path in zip(copies[1:], (str(secret), "../secret.txt"), strict=True):
        lines[index] = json.dumps({**json.loads(lines[index]), "path": path})
    file.write_text("\n".join(lines) + "\n")
    assert tracking.import_file(file) == 1
    (found,) = runs_of(root)
    assert [one.path for one in client(root).list_artifacts(found.info.run_id, "figures")] == ["figures/grid.png"]
    assert capsys.readouterr().err.count("it is left out") == 2


def test_three_imports_at_once_make_one_run(root, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", AWAY)
        with tracking.run("train", area="adaptation", params={}) as run:
            run.log({"loss": 1.0}, 0)
    script = "from dlcv.runtime.tracking import import_file; from pathlib import Path; import sys;"
    script += "print(import_file(Path(sys.argv[1])))"
    command = [sys.executable, "-c", script, str(root / "mlruns-offline")]
    started = [
        subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    said = [process.communicate() for process in started]
    assert sorted(out.strip() for out, _ in said) == ["0", "0", "1"], said
    (found,) = runs_of(root)
    assert curve(root, found.info.run_id, "loss") == [(0, 1.0)]


def test_a_run_that_lost_its_process_does_not_stay_running(root):
    tags = {"fingerprint": "f" * 64}
    lost = tracking.run("train", area="adaptation", params={}, tags=tags)
    lost.__enter__()  # and never left, as after SIGKILL
    with tracking.run("other", area="adaptation", params={}, tags={"fingerprint": "e" * 64}):
        pass
    assert [run.info.status for run in runs_of(root)] == ["RUNNING", "FINISHED"]
    with tracking.run("train", area="adaptation", params={}, tags=tags):
        pass
    assert [run.info.status for run in runs_of(root)] == ["KILLED", "FINISHED", "FINISHED"]


def test_later_means_a_file_and_no_import_of_mlflow(root):
    code = """
import sys
from dlcv.runtime import tracking
with tracking.run("train", area="adaptation", params={"lr": 1}) as run:
    run.log({"loss": 1.0}, 0)
tracking.add_scores(tracking.Training("adaptation", "train", "cd" * 32, {}), {"accuracy": 0.5})
assert "mlflow" not in sys.modules
"""
    done = python(code, root, DLCV_TRACKING="later")
    assert (done.communicate()[1], done.returncode) == ("", 0)
    assert len(offline(root)) == 2 and runs_of(root) == []
    assert tracking.import_file(root / "mlruns-offline", running=True) == 1
    (found,) = runs_of(root)
    assert found.info.status == "FINISHED" and len(offline(root)) == 1  # scores of a training that is not here


def test_a_file_that_a_stage_still_writes_is_imported_without_a_word_and_again_at_its_end(root, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        patch.setenv("DLCV_TRACKING", "later")
        with tracking.run("train", area="adaptation", params={}) as run:
            run.log({"loss": 1.0}, 0)
            run.flush()
            patch.delenv("DLCV_TRACKING")
            assert tracking.import_file(root / "mlruns-offline", running=True) == 1
            (found,) = runs_of(root)
            assert found.info.status == "RUNNING" and curve(root, found.info.run_id, "loss") == [(0, 1.0)]
            run.log({"loss": 0.5}, 1)
    assert tracking.import_file(root / "mlruns-offline") == 1
    (found,) = runs_of(root)
    assert found.info.status == "FINISHED" and curve(root, found.info.run_id, "loss") == [(0, 1.0), (1, 0.5)]
    assert capsys.readouterr().err == ""
