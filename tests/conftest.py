"""What several tests need: a small study in a folder of its own, without tracking."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

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
    """Set keys of the study's params.yaml by dotted name, without any check."""

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
