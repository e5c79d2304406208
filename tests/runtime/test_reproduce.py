"""`dlcv repro` of a small pipeline, whose stages write their names into a log."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from dlcv.runtime.devices import gpus
from dlcv.runtime.errors import UserError
from dlcv.runtime.reproduce import default_jobs, reproduce, reproduce_on_ray
from dlcv.runtime.stages import UNKNOWN, Pipeline, read_pipeline

REPOSITORY = Path(__file__).parent.parent.parent

# DVC calls a deprecated function of pygtrie. Each stage starts a process of DVC.
pytestmark = [pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning"), pytest.mark.slow]

# Waits for the file of the other stage, which runs at the same time.
MEET = """
import sys, time
from pathlib import Path

mine, other = map(Path, sys.argv[1:])
mine.touch()
for _ in range(600):
    if other.exists():
        sys.exit()
    time.sleep(0.05)
sys.exit("alone")
"""


def stage(name: str, needs: list[str], command: str = "") -> dict[str, object]:
    """A stage that logs its name, runs `command` and writes the file `name`."""
    return {"cmd": f"echo {name} >> log && {command or 'true'} && echo made > {name}", "deps": needs, "outs": [name]}


@pytest.fixture
def pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A diamond: `first`, then `left` and `right`, then `last`."""
    monkeypatch.chdir(tmp_path)
    subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "--quiet"], check=True)
    (tmp_path / "meet.py").write_text(MEET)
    meet = f"{sys.executable} meet.py"
    write({"left": f"{meet} at-left at-right", "right": f"{meet} at-right at-left"})
    return tmp_path


def write(commands: dict[str, str]) -> None:
    needs = {"last": ["left", "right"], "left": ["first"], "right": ["first"], "first": []}
    stages = {name: stage(name, needed, commands.get(name, "")) for name, needed in needs.items()}
    YAML().dump({"stages": stages}, Path("dvc.yaml"))


@pytest.mark.usefixtures("pipeline")
def test_independent_stages_run_at_the_same_time_and_once() -> None:
    reproduce(2)
    first, *middle, last = Path("log").read_text().split()
    assert (first, sorted(middle), last) == ("first", ["left", "right"], "last")

    reproduce(2)
    assert len(Path("log").read_text().split()) == 4
    status = subprocess.run([sys.executable, "-m", "dvc", "status"], capture_output=True, text=True, check=True)
    assert "up to date" in status.stdout


@pytest.mark.usefixtures("pipeline")
def test_after_a_failure_no_stage_starts_and_outputs_are_kept(capfd: pytest.CaptureFixture[str]) -> None:
    write({"left": "false"})
    with pytest.raises(UserError, match="stage left failed"):
        reproduce(1)
    assert "left | Running stage 'left'" in capfd.readouterr().out
    assert Path("log").read_text().split()[-1] == "left"

    write({})
    reproduce(1)
    assert Path("log").read_text().split().count("first") == 1
    assert Path("last").exists()


def test_a_folder_without_a_pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="no pipeline"):
        reproduce(1)


SLOW = """
import sys, time
from pathlib import Path

Path("started").touch()
try:
    time.sleep(60)
finally:
    Path("stopped").touch()
"""


def start() -> subprocess.Popen[str]:
    """A process of `dlcv repro` without the check of params.yaml, which the small pipeline lacks."""
    script = "from dlcv.runtime.reproduce import reproduce; from dlcv.runtime.errors import UserError\n"
    script += "try: reproduce(2)\nexcept UserError as error: raise SystemExit(f'error: {error}')"
    return subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def wait_for(path: Path) -> None:
    for _ in range(1200):
        if path.exists():
            return
        time.sleep(0.05)
    raise AssertionError(f"{path} did not come")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_stages_and_leaves_no_lock(pipeline: Path, number: int) -> None:
    (pipeline / "slow.py").write_text(SLOW)
    write({"left": f"{sys.executable} slow.py"})
    process = start()
    wait_for(pipeline / "started")
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1 and (pipeline / "stopped").exists()  # the stage could clean up
    assert f"stopped by {signal.Signals(number).name}; run the same command again" in said
    write({})
    reproduce(2)
    assert Path("last").exists()


@pytest.mark.usefixtures("pipeline")
def test_locks_that_a_killed_dvc_has_written_by_half_are_removed(capfd: pytest.CaptureFixture[str]) -> None:
    """Stages that do not stop in time are killed, and DVC with them."""
    Path(".dvc/tmp").mkdir(exist_ok=True)
    Path(".dvc/tmp/rwlock").write_text('{"write": {"/study/fir')
    reproduce(2)
    assert Path("last").exists()
    assert "rwlock was cut off by a kill, so it is removed" in capfd.readouterr().err


def test_a_second_call_waits(pipeline: Path) -> None:
    (pipeline / "slow.py").write_text(SLOW.replace("60", "3"))
    write({"first": f"{sys.executable} slow.py"})
    first = start()
    wait_for(pipeline / "started")
    second = start()
    said = [process.communicate(timeout=120) for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0), said
    assert "waiting for it" in said[1][1] and "4 of 4 stages were up to date" in said[1][0]


def test_dvc_looks_once_at_a_file_that_two_stages_need(pipeline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dvc.output import Output

    write({})
    reproduce(1)
    looked: list[str] = []
    hash_of = Output.get_hash
    monkeypatch.setattr(Output, "get_hash", lambda output: looked.append(Path(output.fs_path).name) or hash_of(output))
    assert not read_pipeline().changed
    assert looked.count("first") == 1  # the output of one stage and a dependency of two
    Path("first").write_text("edited")
    assert len(read_pipeline().changed) == 3


def test_stages_share_the_gpus(pipeline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    smi = pipeline / "bin" / "nvidia-smi"
    smi.parent.mkdir()
    smi.write_text("#!/bin/sh\necho 0; echo 1\n")
    smi.chmod(0o755)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(smi.parent), prepend=os.pathsep)
    assert gpus() == ["0", "1"] and default_jobs() == 2
    meet = f"echo $CUDA_VISIBLE_DEVICES >> gpus && {sys.executable} meet.py"
    write({"left": f"{meet} at-left at-right", "right": f"{meet} at-right at-left"})
    reproduce(2)
    assert sorted(Path("gpus").read_text().split()) == ["0", "1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert gpus() == []
    smi.write_text("#!/bin/sh\necho no driver >&2; exit 9\n")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert gpus() == []


def test_without_jobs_the_memory_of_the_gpu_decides(pipeline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    smi = pipeline / "bin" / "nvidia-smi"
    smi.parent.mkdir()
    smi.write_text('#!/bin/sh\ncase "$*" in *memory*) echo 10000;; *) echo 0;; esac\n')
    smi.chmod(0o755)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(smi.parent), prepend=os.pathsep)
    alone = "mkdir one && sleep 1 && rmdir one"  # fails if two stages do this at a time
    write({"left": alone, "right": alone})
    monkeypatch.setattr("dlcv.runtime.gpus.needed", lambda _: {"left": 6e9, "right": 6e9})
    reproduce(None)
    assert Path("last").exists()


def test_the_longest_path_starts_first() -> None:
    needs = {"end": ["short", "long"], "short": [], "long": ["start"], "start": []}
    remaining = Pipeline(needs, frozenset()).remaining({"end": 1.0, "short": 5.0, "long": 9.0})
    assert remaining == {"end": 1.0, "short": 6.0, "long": 10.0, "start": 10.0 + UNKNOWN}


@pytest.mark.usefixtures("pipeline")
def test_dvc_runs_for_changed_stages_only(capfd: pytest.CaptureFixture[str]) -> None:
    reproduce(2)
    Path("left").write_text("changed by hand")
    capfd.readouterr()
    reproduce(2)
    out = capfd.readouterr().out
    assert "left | " in out and "last | " in out and "first | " not in out and "right | " not in out
    assert "2 of 4 stages were up to date" in out


@pytest.mark.usefixtures("pipeline")
def test_keep_going_runs_what_does_not_need_the_failed_stage() -> None:
    write({"left": "false"})
    with pytest.raises(UserError, match="1 stages failed, and what needs them did not run: left"):
        reproduce(1, keep_going=True)
    assert Path("right").exists() and not Path("last").exists()


LOG = """
from dlcv.runtime import tracking
with tracking.run("sngan-0", area="gan", params={"steps": 1}) as run:
    run.log({"loss": 1.0}, 0)
"""


def test_what_stages_log_is_sent_at_the_end(pipeline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DLCV_TRACKING", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("DVC_ROOT", str(pipeline))
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    (pipeline / "log.py").write_text(LOG)
    write({"left": f"{sys.executable} log.py", "right": "echo $DLCV_TRACKING > how"})
    reproduce(2)
    assert Path("how").read_text() == "later\n"
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{pipeline / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("gan")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.run_name == "sngan" and run.info.status == "FINISHED" and run.data.metrics == {"loss": 1.0}
    assert list((pipeline / "mlruns-offline").glob("*.jsonl")) == []


def test_without_ray_it_is_one_line_before_anything_is_measured(
    pipeline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setattr("dlcv.runtime.reproduce.needed", lambda _: pytest.fail("measured"))
    with pytest.raises(UserError, match="--ray needs Ray; install it with `pip install 'dlcv.ray.'`"):
        reproduce_on_ray(None, 1)


def test_without_tracking_nothing_is_sent(pipeline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLCV_TRACKING", "off")
    write({"right": "echo $DLCV_TRACKING > how"})
    reproduce(2)
    assert Path("how").read_text() == "off\n" and not Path("mlruns-offline").exists()
