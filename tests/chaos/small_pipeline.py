"""A small pipeline of the project's own stages: the digits, and the judge with its scores."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from dlcv.runtime.editing import apply_profile

REPOSITORY = Path(__file__).parent.parent.parent
KEPT = {"data": ["digits"], "evaluation": ["judge", "judge-evaluate"]}
JUDGE = Path("out/evaluation/judge/0")


def make(folder: Path) -> None:
    """Copy the files of the repository into `folder`, and leave out all stages but those in `KEPT`."""
    names = git(REPOSITORY, "ls-files", "-z", "dlcv", "params.yaml", "profiles", "stages", ".dvcignore", ".gitignore")
    for name in names.split("\0"):
        if name and not name.endswith("dvc.lock") and (not name.startswith("stages") or name.split("/")[1] in KEPT):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(REPOSITORY / name, folder / name)
    yaml = YAML()
    for area, stages in KEPT.items():
        path = folder / "stages" / area / "dvc.yaml"
        document = yaml.load(path.read_text())
        small = {"vars": document["vars"], "stages": {name: document["stages"][name] for name in stages}}
        with open(path, "w") as file:
            yaml.dump(small, file)
    apply_profile("smoke", folder / "params.yaml")
    git(folder, "init", "--quiet")
    git(folder, "config", "user.name", "test")
    git(folder, "config", "user.email", "test@example.org")
    run(folder, "dvc init --quiet")
    commit(folder)


def commit(folder: Path) -> None:
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "state")


def set_steps(folder: Path, steps: int) -> None:
    """Set the steps of the judge's training."""
    yaml = YAML()
    document: Any = yaml.load((folder / "params.yaml").read_text())
    document["judge"]["training"]["steps"] = steps
    with open(folder / "params.yaml", "w") as file:
        yaml.dump(document, file)


def mark_code(folder: Path, mark: str) -> None:
    """Edit the code of the judge's training: its weights.json gets the key `mark`."""
    path = folder / "dlcv/evaluation/judge/train.py"
    text = path.read_text()
    assert "about={" in text
    path.write_text(text.replace("about={", f'about={{"{mark}": True, ', 1))


def start(folder: Path, words: str, *places: Path) -> subprocess.Popen[str]:
    """`python -m` WORDS in `folder`, whose own code its stages run; packages may be in `places` too."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("DVC_", "DLCV_", "MLFLOW_"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {
        **kept,
        "PYTHONPATH": os.pathsep.join(map(str, (folder, *places))),
        "PATH": path,
        "PYTHONUNBUFFERED": "1",
    }
    command = [sys.executable, "-m", *words.split()]
    return subprocess.Popen(
        command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def run(folder: Path, words: str) -> str:
    process = start(folder, words)
    said, _ = process.communicate()
    assert process.returncode == 0, said
    return said


def git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True).stdout
