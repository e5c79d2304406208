"""A stage whose inputs are edited while it runs fails; other edits do not matter."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlcv.runtime.edits import watch
from dlcv.runtime.errors import UserError

pytestmark = [pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning"), pytest.mark.slow]

PIPELINE = """
stages:
  make:
    cmd: "true"
    deps: [dlcv/area]
    params: [seed, gan.base]
"""
PARAMS = "seed: 0\ngan:\n  base: {steps: 1}\n  other: 2\n"


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from dvc.repo import Repo

    for name in ("area/step.py", "area/cli.py", "other.py"):
        (tmp_path / "dlcv" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "dlcv" / name).write_text("x = 1\n")
    (tmp_path / "dvc.yaml").write_text(PIPELINE)
    (tmp_path / "params.yaml").write_text(PARAMS)
    (tmp_path / ".dvcignore").write_text("dlcv/**/cli.py\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_STAGE", "make")
    Repo.init(no_scm=True).close()
    return tmp_path


@pytest.mark.parametrize(
    ("file", "text", "named"),
    [
        ("params.yaml", PARAMS.replace("seed: 0", "seed: 1"), "seed"),
        ("params.yaml", PARAMS.replace("steps: 1", "steps: 2"), "gan.base"),
        ("params.yaml", PARAMS.replace("{", "["), "params.yaml|seed, gan.base"),
        ("dlcv/area/step.py", "x = 2\n", "dlcv/area/step.py"),
        ("dlcv/area/new.py", "x = 2\n", "dlcv/area/new.py"),
        ("params.yaml", PARAMS.replace("other: 2", "other: 3"), ""),
        ("dlcv/area/step.py", "x = 1\n", ""),  # touched
        ("dlcv/area/cli.py", "x = 2\n", ""),
        ("dlcv/other.py", "x = 2\n", ""),
    ],
)
def test_only_an_edited_input_fails(stage: Path, file: str, text: str, named: str) -> None:
    check = watch()
    (stage / file).write_text(text)
    if named:
        with pytest.raises(UserError, match=f"^({named}): edited while this stage ran"):
            check()
    else:
        check()


def test_a_command_that_is_no_stage_is_not_checked(stage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DVC_STAGE")
    check = watch()
    (stage / "dlcv/area/step.py").write_text("x = 2\n")
    check()
