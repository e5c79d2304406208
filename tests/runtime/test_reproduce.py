"""`dlcv repro`: a pipeline of its own, whose stages leave a line in a log."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from dlcv.runtime.errors import UserError
from dlcv.runtime.reproduce import reproduce

# DVC reads its graph by a call of pygtrie's that is on its way out.
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")

# Waits for the file of the other one, which a stage that runs after it could not have written.
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
    """A stage that writes the file `name`, whatever else it does."""
    return {"cmd": f"echo {name} >> log && {command or 'true'} && echo made > {name}", "deps": needs, "outs": [name]}


@pytest.fixture
def pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A diamond: first, then left and right, then last."""
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
def test_what_does_not_depend_on_each_other_runs_side_by_side_and_once() -> None:
    reproduce(2)
    first, *middle, last = Path("log").read_text().split()
    assert (first, sorted(middle), last) == ("first", ["left", "right"], "last")

    reproduce(2)
    assert len(Path("log").read_text().split()) == 4
    status = subprocess.run([sys.executable, "-m", "dvc", "status"], capture_output=True, text=True, check=True)
    assert "up to date" in status.stdout


@pytest.mark.usefixtures("pipeline")
def test_after_a_failure_nothing_begins_and_what_was_made_stays(capfd: pytest.CaptureFixture[str]) -> None:
    write({"left": "false"})
    with pytest.raises(UserError, match="stage left failed"):
        reproduce(1)
    assert "left | Running stage 'left'" in capfd.readouterr().out
    assert Path("log").read_text().split()[-1] == "left"

    write({})
    reproduce(1)
    assert Path("log").read_text().split().count("first") == 1
    assert Path("last").exists()


def test_without_a_pipeline_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="no pipeline"):
        reproduce(1)
