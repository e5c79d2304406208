"""`dlcv repro --ray`: the stages of a small pipeline on the nodes of a Ray cluster on this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from dlcv.runtime.errors import UserError
from dlcv.runtime.stages import read_pipeline

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'dlcv[ray]'")

REPOSITORY = Path(__file__).parent.parent.parent
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

# Logs where it runs; at the first attempt it waits to be killed.
STAGE = """
import os, sys, time
from pathlib import Path
from dlcv.runtime import tracking

name, needs = sys.argv[1], sys.argv[2:]
with tracking.run(name + "-0", area="gan", params={"steps": 1}) as run:
    run.log({"loss": float(len(needs))}, 0)
    places = Path(os.environ["PLACES"])
    with places.open("a") as file:
        file.write(f"{name} {Path.cwd()} {os.getpid()}\\n")
    while name == os.environ.get("WAITS") and places.read_text().split().count(name) == 1:
        time.sleep(0.1)
Path(name).write_text(name + "".join(Path(each).read_text() for each in needs))
"""


class Node:
    """A node of the cluster, with all its processes in one session."""

    def __init__(self, address: str | None, variables: dict[str, str], log: Path):
        head = ["--head", "--port=0", "--include-dashboard=false"] if address is None else [f"--address={address}"]
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", *head, "--block", "--num-cpus=2"]
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
        for _ in range(600):
            said = self.log.read_text()
            if text in said:
                return said
            assert self.process.poll() is None, said
            time.sleep(0.2)
        raise AssertionError(self.log.read_text())

    def kill(self) -> None:
        """As a machine that loses its power, except for the processes in sessions of their own."""
        import psutil

        if self.process.poll() is None:
            for each in psutil.Process(self.process.pid).children(recursive=True):
                if os.getsid(each.pid) == os.getsid(self.process.pid):
                    each.kill()
            self.process.kill()
            self.process.wait()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a diamond of stages: `first`, then `left` and `right`, then `last`."""
    root = tmp_path / "project"
    root.mkdir()
    monkeypatch.chdir(root)
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run([sys.executable, "-m", "dvc", "init", "--quiet"], check=True)
    (root / "stage.py").write_text(STAGE)
    (root / "dlcv").symlink_to(REPOSITORY / "dlcv")
    (root / ".gitignore").write_text("mlruns-offline/\nmlflow.db\n")
    (root / "params.yaml").write_text("seed: 0\n")
    needs: dict[str, list[str]] = {"last": ["left", "right"], "left": ["first"], "right": ["first"], "first": []}
    stages = {
        name: {"cmd": " ".join(["python stage.py", name, *needed]), "deps": ["stage.py", *needed], "outs": [name]}
        for name, needed in needs.items()
    }
    YAML().dump({"stages": stages}, root / "dvc.yaml")
    monkeypatch.setenv("PLACES", str(tmp_path / "places"))
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY), prepend=os.pathsep)
    monkeypatch.delenv("DLCV_TRACKING", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr("dlcv.runtime.reproduce.needed", lambda _: {"left": 1e8})
    return root


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., tuple[str, list[Node]]]]:
    """Starts a cluster of two nodes; returns its address and the nodes."""
    nodes: list[Node] = []

    def both(**variables: str) -> tuple[str, list[Node]]:
        nodes.append(Node(None, variables, tmp_path / "head.log"))
        said = nodes[0].wait_for("Ray runtime started")
        address = said.split("--address='")[1].split("'")[0]
        nodes.append(Node(address, variables, tmp_path / "other.log"))
        nodes[1].wait_for("Ray runtime started")
        return address, nodes

    yield both
    if ray.is_initialized():
        ray.shutdown()
    for node in nodes:
        node.kill()


def check(root: Path) -> None:
    """The outputs are those of one process, and DVC and MLflow know of each stage once."""
    assert (root / "last").read_text() == "lastleftfirstrightfirst"
    assert not read_pipeline().changed
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{root / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("gan")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    finished = [run.info.run_name for run in runs if run.info.status == "FINISHED"]
    assert sorted(finished) == ["first", "last", "left", "right"]


def test_a_stage_whose_node_dies_runs_again(project: Path, start: Any) -> None:
    places = Path(os.environ["PLACES"])
    address, nodes = start(WAITS="left", PLACES=str(places))
    script = "from dlcv.runtime import reproduce; reproduce.needed = lambda _: {}\n"
    script += f"reproduce.reproduce_on_ray({address!r}, 1)"
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    for _ in range(600):
        if places.exists() and "left" in places.read_text():
            break
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    pid = next(int(line.split()[2]) for line in places.read_text().splitlines() if line.startswith("left"))
    ray.init(address=address, configure_logging=False)
    # The head keeps the cluster together; where it runs the stage, its worker is what dies.
    import psutil

    worker = next(each for each in psutil.Process(pid).parents() if "ray::" in " ".join(each.cmdline()))
    if psutil.Process(nodes[1].process.pid) in worker.parents():
        nodes[1].kill()
    else:
        worker.kill()
    out, _ = process.communicate(timeout=240)
    assert process.returncode == 0, out
    assert places.read_text().split().count("left") == 2
    assert not psutil.pid_exists(pid)
    check(project)


def test_a_node_without_the_folder_uses_the_remote(
    project: Path, start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dlcv.runtime import cluster
    from dlcv.runtime.reproduce import reproduce_on_ray

    home = tmp_path / "home"
    home.mkdir()
    subprocess.run(
        [sys.executable, "-m", "dvc", "remote", "add", "-d", "storage", str(tmp_path / "storage")], check=True
    )
    address, _ = start(HOME=str(home), PLACES=os.environ["PLACES"])
    # The nodes look for another file than the one that is there: as on a machine without this folder.
    monkeypatch.setattr(cluster, "TOKEN", Path("elsewhere"))
    monkeypatch.setattr(Path, "write_text", unless_token(Path.write_text))
    reproduce_on_ray(address, 1)
    where = {line.split()[1] for line in Path(os.environ["PLACES"]).read_text().splitlines()}
    assert len(where) == 4 and str(project) not in where
    check(project)


def unless_token(write: Any) -> Any:
    return lambda path, *args, **options: None if path == Path("elsewhere") else write(path, *args, **options)


def test_a_signal_stops_the_stages(project: Path, start: Any) -> None:
    places = Path(os.environ["PLACES"])
    address, _ = start(WAITS="first", PLACES=str(places))
    script = "from dlcv.runtime import reproduce; reproduce.needed = lambda _: {}\n"
    script += "from dlcv.runtime.errors import UserError\n"
    script += f"try: reproduce.reproduce_on_ray({address!r}, 1)\n"
    script += "except UserError as error: raise SystemExit(f'error: {error}')"
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    for _ in range(600):
        if places.exists():
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert "stopped by SIGTERM; run the same command again" in said, said
    import psutil

    assert not psutil.pid_exists(int(places.read_text().split()[2]))


def test_without_a_cluster_it_is_one_line(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dlcv.runtime.reproduce import reproduce_on_ray

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(UserError, match="there is no Ray cluster .*; `ray start --head` starts one"):
        reproduce_on_ray("127.0.0.1:1", 1)
