"""A server of MLflow that fails: the training does not wait for it, and everything is there once after the import."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from dlcv.engine.arithmetic import make_accelerator
from dlcv.runtime import mlflow_store, tracking
from tests.chaos.crash_points import STEPS
from tests.chaos.mlflow_proxy import DEAD, ERROR, LOST, PASS, SILENT, Proxy, mlflow_server
from tests.chaos.tracked import Watched, check, stage


@pytest.fixture
def place(study: Path, _often: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study whose tracking is on; no failure of a server is remembered, and points are sent at once."""
    for name in ("DLCV_TRACKING", "DVC_STAGE", "DVC_EXP_NAME", "DVC_EXP_BASELINE_REV"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(tracking, "FLUSH_SECONDS", 0.001)
    make_accelerator()  # a method needs its state
    return study


def is_asked(method: Watched) -> None:
    """The loop waits here until something is sent, so that the server fails while it runs."""
    assert method.asked.wait(60)


class Hanging:
    """A stored run whose server takes a request and never answers."""

    id = "hangs"

    def __init__(self, method: Watched, over: threading.Event) -> None:
        self.method, self.over = method, over

    def send(self, event: dict[str, Any]) -> None:
        self.method.sends()
        if event["kind"] == "metrics":
            self.over.wait(10)  # a loop that waits for the answer would not end, and could not fail
            raise TimeoutError("no answer")


def test_the_loop_ends_while_the_server_hangs(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The short form, without MLflow."""
    over = threading.Event()

    class Ends(Watched):
        def step(self, *arguments: Any) -> dict[str, Tensor]:
            values = super().step(*arguments)
            if self.done == STEPS:
                over.set()
            return values

    method = Ends(is_asked)
    monkeypatch.setattr(tracking, "open_run", lambda header: Hanging(method, over))
    stage(method, "area")
    assert method.done == STEPS
    assert method.threads and threading.main_thread() not in method.threads


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with mlflow_server(tmp_path_factory.mktemp("server")) as address:
        yield address


def outage(first: str, then: str, at: str = "") -> Callable[[Watched], Callable[[str], str]]:
    """A rule for `Proxy`: PASS until the loop runs, or until a path ends with `at`; then `first` once, and `then`."""

    def make(method: Watched) -> Callable[[str], str]:
        failed = False

        def rule(path: str) -> str:
            nonlocal failed
            if failed:
                return then
            failed = path.endswith(at) if at else method.runs
            return first if failed else PASS

        return rule

    return make


OUTAGES: dict[str, Callable[[Watched], Callable[[str], str]]] = {
    "silent": lambda method: lambda path: SILENT,
    "500": lambda method: lambda path: ERROR,
    "silent-in-the-middle": outage(SILENT, SILENT),
    "500-in-the-middle": outage(ERROR, ERROR),
    "dies-in-the-middle": outage(DEAD, DEAD),
    "dies-after-it-took-the-points": outage(LOST, DEAD),
    "dies-after-it-made-the-run": outage(LOST, DEAD, at="/runs/create"),
    "loses-an-answer": outage(LOST, PASS, at="/runs/create"),
    "dies-before-the-artifact": outage(DEAD, DEAD, at="name.png"),
    "dies-before-the-end": outage(DEAD, DEAD, at="/runs/update"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["absent", *OUTAGES])
def test_everything_is_there_once(
    name: str, place: Path, server: str, monkeypatch: pytest.MonkeyPatch, dlcv: Callable[[str], tuple[int, str]]
) -> None:
    asked_in_the_loop = "middle" in name or "points" in name
    method = Watched(is_asked) if asked_in_the_loop else Watched()
    proxy = Proxy(server)
    send = mlflow_store.StoredRun.send

    def watched(stored: mlflow_store.StoredRun, event: dict[str, Any]) -> None:
        method.sends()
        send(stored, event)

    monkeypatch.setattr(mlflow_store.StoredRun, "send", watched)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", proxy.address)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
    if name != "absent":
        proxy.rule = OUTAGES[name](method)
        proxy.start()
    area = f"chaos-{name}"
    try:
        stage(method, area)
        assert method.done == STEPS and not proxy.over.is_set()  # a silent server is silent still
        assert threading.main_thread() not in method.threads
    finally:
        proxy.stop()

    back = Proxy(server)
    back.port = proxy.port
    back.start()
    try:
        if name != "loses-an-answer":
            assert list(Path("mlruns-offline").glob("*.jsonl"))
            shutil.copytree("mlruns-offline", "copy")
            for folder in ("mlruns-offline", "copy"):  # a second import of the same files changes nothing
                code, said = dlcv(f"tracking import {folder}")
                assert code == 0, said
                assert not list(Path(folder).glob("*.jsonl"))
        check(area)
    finally:
        back.stop()


@pytest.mark.slow
def test_a_database_that_eight_trainings_write_and_one_process_locks() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos.locked_database"],
        cwd=Path(__file__).parent.parent.parent,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("everything is there once") == 2
