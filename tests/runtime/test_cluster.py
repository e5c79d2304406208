"""`dlcv repro --ray`: the stages of a small pipeline on the nodes of a Ray cluster on this machine."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from ruamel.yaml import YAML

from dlcv.runtime import cluster, node
from dlcv.runtime.errors import UserError
from dlcv.runtime.files import sha256, write_json
from dlcv.runtime.gpus import MEASURED
from dlcv.runtime.reproduce import reproduce_on_ray
from dlcv.runtime.stages import read_pipeline
from tests.chaos import small_pipeline

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install '.[ray]'")

REPOSITORY = Path(__file__).parent.parent.parent
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

# Logs where it runs. `left` and `right` wait for each other if both shall run at a time.
STAGE = """
import os, sys, time
from pathlib import Path
from dlcv.runtime import tracking

out, *needs = sys.argv[1:]
name = Path(out).name
with tracking.run(name + "-0", area="gan", params={"steps": 1}) as run:
    run.log({"loss": float(len(needs))}, 0)
    places = Path(os.environ["PLACES"])
    with places.open("a") as file:
        file.write(f"{name} {Path.cwd()} {os.getpid()}\\n")
    other = {"left": "right", "right": "left"}.get(name)
    while "MEET" in os.environ and other and other not in places.read_text().split():
        time.sleep(0.1)
    while name == os.environ.get("WAITS"):
        time.sleep(0.1)
files = [file for need in needs for file in ([Path(need)] if Path(need).is_file() else sorted(Path(need).iterdir()))]
text = name + "".join(file.read_text() for file in files)
Path(out).parent.mkdir(exist_ok=True)
Path(out).write_text(text)
if name == "last":
    Path("metric.json").write_text(f'{{"letters": {len(text)}}}')
"""
NEEDS = {"first": [], "made/left": ["first"], "made/right": ["first"], "last": ["made"]}


class Node:
    """A node of the cluster with all its processes. The head has no CPU for stages."""

    def __init__(self, address: str | None, variables: dict[str, str], log: Path):
        head = ["--head", "--port=0", "--include-dashboard=false", "--num-cpus=0"]
        # The head's monitor reads the logs of this whole machine.
        other = [f"--address={address}", "--num-cpus=2", "--include-log-monitor=false"]
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", *(other if address else head), "--block"]
        self.log = log
        with log.open("w") as out:
            self.process = subprocess.Popen(
                [*command, "--object-store-memory=100000000", "--disable-usage-stats"],
                env={**os.environ, **variables},
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_for(self, text: str) -> str:
        for _ in range(900):
            said = self.log.read_text()
            if text in said:
                return said
            assert self.process.poll() is None, said
            time.sleep(0.2)
        raise AssertionError(self.log.read_text())

    def runs(self, pid: int) -> bool:
        """Whether the process `pid` is one of this node."""
        return psutil.Process(self.process.pid) in psutil.Process(pid).parents()

    def kill(self) -> None:
        """As a machine that loses its power, except for the processes in sessions of their own."""
        if self.process.poll() is None:
            for each in psutil.Process(self.process.pid).children(recursive=True):
                if os.getsid(each.pid) == os.getsid(self.process.pid):
                    each.kill()
            self.process.kill()
            self.process.wait()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a diamond of stages: `first`, then `made/left` and `made/right`, then `last`."""
    root = tmp_path / "project"
    root.mkdir()
    monkeypatch.chdir(root)
    subprocess.run(["git", "init", "-q"], check=True)
    dvc("init", "--quiet")
    (root / "stage.py").write_text(STAGE)
    (root / "dlcv").symlink_to(REPOSITORY / "dlcv")
    (root / ".gitignore").write_text("mlruns-offline/\nmlflow.db\n/first\n/made\n/last\n")
    (root / "params.yaml").write_text("seed: 0\n")
    stages: dict[str, Any] = {
        Path(out).name: {"cmd": " ".join(["python stage.py", out, *needs]), "deps": ["stage.py", *needs], "outs": [out]}
        for out, needs in NEEDS.items()
    }
    stages["last"]["metrics"] = [{"metric.json": {"cache": False}}]
    YAML().dump({"stages": stages}, root / "dvc.yaml")
    subprocess.run(["git", "add", "."], check=True)
    author = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    subprocess.run(["git", *author, "commit", "--quiet", "--message=state"], check=True)
    monkeypatch.setenv("PLACES", str(tmp_path / "places"))
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY), prepend=os.pathsep)
    monkeypatch.delenv("DLCV_TRACKING", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr("dlcv.runtime.reproduce.needed", lambda _: {})
    return root


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., tuple[str, list[Node]]]]:
    """Starts a head and two nodes, the second of them with more variables; returns the address and the nodes."""
    nodes: list[Node] = []

    def all_three(second: dict[str, str] | None = None, **variables: str) -> tuple[str, list[Node]]:
        nodes.append(Node(None, variables, tmp_path / "head.log"))
        said = nodes[0].wait_for("Ray runtime started")
        address = said.split("--address='")[1].split("'")[0]
        for number, more in enumerate([{}, second or {}]):  # one after the other: two at once would take one socket
            nodes.append(Node(address, {**variables, **more}, tmp_path / f"node-{number}.log"))
            nodes[-1].wait_for("Ray runtime started")
        return address, nodes[1:]

    yield all_three
    if ray.is_initialized():
        ray.shutdown()
    for each in reversed(nodes):
        each.kill()


def dvc(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "dvc", *words], check=True, stdout=subprocess.DEVNULL)


def places() -> list[list[str]]:
    """Name, folder and process of each stage that has run."""
    file = Path(os.environ["PLACES"])
    return [line.split() for line in file.read_text().splitlines()] if file.is_file() else []


def wait_for(process: subprocess.Popen[str], seen: Callable[[], bool]) -> None:
    for _ in range(3000):
        if seen():
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    raise AssertionError("it did not come")


def ended(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def runs() -> list[Any]:
    """The runs in MLflow."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{Path('mlflow.db').resolve()}")
    experiments = [each.experiment_id for each in client.search_experiments()]
    return list(client.search_runs(experiments))


def check() -> None:
    """The outputs are those of one process, DVC knows all of them, and MLflow knows of each stage once."""
    assert (
        Path("last").read_text() == "lastleftfirstrightfirst" and Path("metric.json").read_text() == '{"letters": 23}'
    )
    assert not read_pipeline().changed
    found = runs()
    assert sorted(run.info.run_name for run in found) == ["first", "last", "left", "right"]
    assert {run.info.status for run in found} == {"FINISHED"} and {len(run.data.metrics) for run in found} == {1}
    # A copy without git names the same commit.
    assert (
        len({run.data.tags["git.commit"] for run in found}) == len({run.data.tags["dlcv.group"] for run in found}) == 1
    )


def script(address: str) -> subprocess.Popen[str]:
    """A process of `dlcv repro --ray` without the check of params.yaml, which the small pipeline lacks."""
    text = "from dlcv.runtime import reproduce; reproduce.needed = lambda _: {'first': 1e15}\n"
    text += "from dlcv.runtime.errors import UserError\n"
    text += f"try: reproduce.reproduce_on_ray({address!r}, 16)\n"  # no node has as many CPUs and as much memory
    text += "except UserError as error: raise SystemExit(f'error: {error}')"
    return subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.parametrize("second", [{"AWAY": "1"}, {}], ids=["one node of two", "both nodes"])
def test_a_node_without_the_folder_uses_the_remote(
    second: dict[str, str], project: Path, start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dvc("remote", "add", "--default", "storage", str(tmp_path / "storage"))
    monkeypatch.setenv("DLCV_TRACKING", "later")
    dvc("repro", "--single-item", "first")  # an output that no node has made
    monkeypatch.delenv("DLCV_TRACKING")
    (tmp_path / "home").mkdir()
    variables = {"HOME": str(tmp_path / "home"), "MEET": "1"} | ({} if second else {"AWAY": "1"})
    address, _ = start(second=second, **variables)
    # This function is sent to the nodes: one with AWAY is as a machine without this folder.
    shares = node.shares
    monkeypatch.setattr(node, "shares", lambda task: "AWAY" not in os.environ and shares(task))
    reproduce_on_ray(address, 2)
    assert sorted(name for name, _, _ in places()) == ["first", "last", "left", "right"]
    away = {name for name, folder, _ in places() if folder != str(project)}
    assert "first" not in away and len(away & {"left", "right"}) == (1 if second else 2)
    check()


def test_a_node_without_the_folder_and_no_remote(project: Path, start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    address, _ = start()
    monkeypatch.setattr(node, "shares", lambda task: False)
    with pytest.raises(UserError, match="does not see .*/project, and there is no DVC remote; mount the folder there"):
        reproduce_on_ray(address, 1)
    assert not places()


def test_a_signal_stops_the_stages(project: Path, start: Any) -> None:
    address, _ = start(WAITS="first")
    process = script(address)
    wait_for(process, lambda: bool(places()))
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=120)
    assert "stopped by SIGTERM; run the same command again" in said, said
    assert ended(int(places()[0][2]))


def test_without_a_cluster_it_is_one_line(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(UserError, match="there is no Ray cluster .*; `ray start --head` starts one"):
        cluster.connect("127.0.0.1:1")


def outputs(folder: Path) -> dict[str, str]:
    """SHA-256 of every file that the stages have made."""
    files = [path for top in ("data", "out") for path in sorted((folder / top).rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_training_whose_node_dies_goes_on_elsewhere_to_the_same_bits(
    tmp_path: Path, start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY), prepend=os.pathsep)
    local, shared = tmp_path / "local", tmp_path / "shared"
    for folder in (local, shared):
        small_pipeline.make(folder)
        small_pipeline.set_steps(folder, 1000)
    write_json(shared / MEASURED, {"params": sha256(shared / "params.yaml"), "bytes": {}})
    small_pipeline.run(local, "dlcv repro --jobs 2")

    address, nodes = start()
    process = small_pipeline.start(shared, f"dlcv repro --ray {address}", Path(ray.__file__).parent.parent)
    wait_for(process, lambda: any((shared / ".checkpoints").rglob("step-*[0-9]")))
    training = ["-m", "dlcv", "evaluate", "judge", "train"]
    running = psutil.process_iter(["pid", "cmdline", "cwd"], "")
    (pid,) = [each.pid for each in running if each.info["cmdline"][1:6] == training and each.info["cwd"] == str(shared)]
    (where,) = [each for each in nodes if each.runs(pid)]
    where.kill()
    said, _ = process.communicate()
    assert process.returncode == 0, said
    assert "continues from its checkpoint at step" in said and ended(pid)
    assert outputs(shared) == outputs(local) and any("weights" in name for name in outputs(local))
    monkeypatch.chdir(shared)
    assert not read_pipeline().changed
    assert [run.info.status for run in runs() if run.data.tags.get("fingerprint")] == ["FINISHED"]
