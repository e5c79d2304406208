"""The events of a run, without MLflow: tracking is off, or the server is known to be away."""

from __future__ import annotations

import json
import math
import threading
from pathlib import Path
from typing import Any

import pytest

from dlcv.runtime import tracking
from dlcv.runtime.errors import UserError
from dlcv.runtime.tracking import Dataset
from tests.runtime.conftest import SHA, TRAINING, offline, python


@pytest.fixture
def away(bare: Path) -> Path:
    """A root whose server has just failed: all events go to a file."""
    tracking._note_failure()
    return bare


def events(root: Path) -> list[dict[str, Any]]:
    """The events of the only file, the header first."""
    (file,) = offline(root)
    return [json.loads(line) for line in file.read_text().splitlines()]


def points(root: Path) -> list[tuple[str, float, int]]:
    """Name, value and step of every point."""
    logged = [point for event in events(root) if event["kind"] == "metrics" for point in event["points"]]
    return [(name, value, step) for name, value, _, step in logged]


def test_importing_it_or_switching_it_off_imports_no_mlflow(bare):
    code = """
import sys
from dlcv.runtime import tracking
with tracking.run("train", area="gan", params={"lr": 1}) as run:
    run.log({"loss": 1.0}, 1); run.scores({"fid": 2.0}); run.set_tags({"a": "b"}); run.figure("no.png")
tracking.add_scores(tracking.Training("a", "b", "ab", {}), {"fid": 2.0})
print(run.id, "mlflow" in sys.modules, "torch" in sys.modules)
"""
    process = python(code, bare, DLCV_TRACKING="off")
    assert process.communicate() == ("None False False\n", "")
    assert list(bare.iterdir()) == []


def test_a_disabled_run_does_nothing(away: Path) -> None:
    with tracking.run("train", area="gan", params={"a": 1}, enabled=False) as run:
        run.log({"loss": 1.0}, 0)
        run.scores({"fid": 2.0})
    assert run.id is None and offline(away) == []


def test_a_run_is_a_header_params_datasets_points_tags_and_an_end(away: Path) -> None:
    params = {"dann": {"learning_rate": 1e-3, "lambda": 0.3}, "seed": 7}
    data = [Dataset("mnistm", SHA, "data/digits/mnistm")]
    with tracking.run("train@a", area="adaptation", params=params, tags={"size": "S"}, datasets=data) as run:
        run.log({"loss": 1.0, "D(G(z))": 0.5}, 0)
        run.scores({"accuracy": 0.5})
        run.set_tags({"weights.sha256": SHA})
    header, *rest = events(away)
    assert (header["kind"], header["name"], header["area"], header["id"]) == ("run", "train@a", "adaptation", run.id)
    assert header["tags"]["size"] == "S"
    assert rest[0]["values"] == {"dann.learning_rate": "0.001", "dann.lambda": "0.3", "seed": "7"}
    assert rest[1]["values"] == [["mnistm", SHA, "data/digits/mnistm"]]
    assert points(away) == [("accuracy", 0.5, 0), ("loss", 1.0, 0), ("D_G_z", 0.5, 0)]
    assert {"kind": "tags", "values": {"weights.sha256": SHA}} in rest
    assert (rest[-1]["kind"], rest[-1]["status"]) == ("end", "FINISHED")


@pytest.mark.parametrize("error", [ValueError, UserError, KeyboardInterrupt])
def test_a_failed_run_has_its_points_and_its_status(away: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), tracking.run("train", area="adaptation", params={}) as run:
        run.log({"loss": 1.0}, 3)
        raise error("enough")
    assert points(away) == [("loss", 1.0, 3)]
    assert events(away)[-1]["status"] == ("KILLED" if error is KeyboardInterrupt else "FAILED")


def test_points_are_sent_in_batches_and_in_order(away: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "BATCH", 3)
    with tracking.run("train", area="adaptation", params={}) as run:
        for step in range(7):
            run.log({"loss": float(step)}, step)
        assert points(away) == []  # the loop sends nothing itself
    assert points(away) == [("loss", float(step), step) for step in range(7)]
    assert [len(event["points"]) for event in events(away) if event["kind"] == "metrics"] == [3, 3, 1]


def test_a_thread_sends_the_points_while_a_training_runs(away: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "FLUSH_SECONDS", 0.01)
    sent = threading.Event()
    write = tracking._Sink.write

    def written(sink: tracking._Sink, event: dict[str, Any]) -> None:
        write(sink, event)
        if event["kind"] == "metrics":
            sent.set()

    monkeypatch.setattr(tracking._Sink, "write", written)
    with tracking.run("train", area="adaptation", params={}) as run:
        run.log({"loss": 1.0}, 0)
        assert sent.wait(30) and points(away) == [("loss", 1.0, 0)]


def test_values_that_are_not_finite_become_a_tag(away: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with tracking.run("train", area="adaptation", params={}) as run:
        for step, value in enumerate((1.0, math.nan, math.inf)):
            run.log({"loss": value}, step)
        run.scores({"fid": math.inf})
    assert points(away) == [("loss", 1.0, 0)]
    assert {"kind": "tags", "values": {"nonfinite": "fid@0, loss@1"}} in events(away)
    assert capsys.readouterr().err.count("loss is") == 1


def test_figures_are_copied_and_a_missing_one_gives_a_warning(away: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("grid.png").write_bytes(b"image")
    with tracking.run("train", area="adaptation", params={}) as run:
        run.figure(Path("grid.png"))
        run.figure(Path("none.png"))
    (event,) = [event for event in events(away) if event["kind"] == "artifact"]
    assert event["folder"] == "figures"
    assert (away / "mlruns-offline" / event["path"]).read_bytes() == b"image"
    assert "none.png is missing" in capsys.readouterr().err


def test_scores_for_a_training_run_are_a_file_of_their_own(away: Path) -> None:
    tracking.add_scores(TRAINING, {"accuracy": 0.25, "broken": math.nan})
    assert (events(away)[0]["kind"], events(away)[0]["weights"]) == ("scores", SHA)
    assert points(away) == [("accuracy", 0.25, 0)]


def test_good_names_are_kept():
    assert [tracking._valid(name) for name in ("loss_", "val/acc 1.5-x", "a:b")] == ["loss_", "val/acc 1.5-x", "a:b"]
