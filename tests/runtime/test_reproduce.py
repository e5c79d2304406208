"""`dlcv repro` of a small pipeline, whose stages write their names into a log."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from dlcv.runtime.errors import UserError
from dlcv.runtime.reproduce import reproduce

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
