"""Shared fixtures: a study in a temporary folder, without tracking, and the `dlcv` command."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from dlcv.engine import environment

environment.prepare(portable=True, threads=1)  # as params.yaml ships it, before NumPy and torch are imported

import dvc  # noqa: E402, F401, whose log keeps the stream of the first import: in a test it would be closed afterwards

from dlcv.engine import training  # noqa: E402
from dlcv.engine.loop import train  # noqa: E402

REPOSITORY = Path(__file__).parent.parent


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty study in a temporary folder, which becomes the working directory and `DVC_ROOT`."""
    shutil.copy(REPOSITORY / "params.yaml", tmp_path)
    shutil.copytree(REPOSITORY / "profiles", tmp_path / "profiles")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("DLCV_TRACKING", "off")
    return tmp_path


@pytest.fixture
def set_params(study: Path) -> Callable[[dict[str, Any]], None]:
    """Set values of the study's params.yaml by dotted key, without a check."""

    def set_(values: dict[str, Any]) -> None:
        yaml = YAML()
        document = yaml.load((study / "params.yaml").read_text())
        for key, value in values.items():
            *parents, last = key.split(".")
            node = document
            for parent in parents:
                node = node[parent]
            node[last] = value
        with open(study / "params.yaml", "w") as file:
            yaml.dump(document, file)

    return set_


@pytest.fixture
def dlcv(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[[str], tuple[int, str]]:
    """Run a `dlcv` command in this process; returns exit code and stderr."""
    from dlcv.__main__ import main

    def run(words: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["dlcv", *words.split()])
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        return int(end.value.code or 0), capfd.readouterr().err

    return run


@pytest.fixture
def dlcv_alone() -> Callable[[str], tuple[int, str, set[str]]]:
    """Run a `dlcv` command in a new process; returns exit code, stderr, and the heavy modules that it imported."""
    code = """
import sys
from dlcv.__main__ import main
try:
    main()
finally:
    print("heavy:", *({"torch", "pandas", "matplotlib", "mlflow"} & set(sys.modules)), file=sys.stderr)
"""

    def run(words: str) -> tuple[int, str, set[str]]:
        environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
        command = [sys.executable, "-c", code, *words.split()]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
        lines = done.stderr.splitlines(keepends=True)
        (heavy,) = (line for line in lines if line.startswith("heavy:"))
        lines.remove(heavy)
        return done.returncode, "".join(lines), set(heavy.split()[1:])

    return run


@pytest.fixture
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row of the curve every two steps, and a checkpoint every four."""
    monkeypatch.setattr(training, "train", partial(train, log_every=2, checkpoint_every=4))


def files(folder: Path) -> dict[str, bytes]:
    """The files in a folder, by path relative to it."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
